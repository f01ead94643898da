/** One competitor under one key, however its name was written. */
export const competitorKey = (name: string): string =>
  name.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase().slice(0, 200)
