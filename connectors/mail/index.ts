/** Mail providers, and the texts that are sent. */
export { sendGridProvider } from './send-grid.ts'
export type { SendGridSettings } from './send-grid.ts'
export { render, templates } from './templates.ts'
export type { Template } from './templates.ts'
