/** What a word of state means; its colour follows, and never tells more than the word. */
export type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'plain'
