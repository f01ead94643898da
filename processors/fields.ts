/** The fields of what a provider or a person gave as JSON; none when it is no object. Each is checked where it is used. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
