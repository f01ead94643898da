/** Our own people: agents, supervisors, and the clients they look after. */
export { createAgentRequest } from './schemas.ts'
export { agentEndpoints } from './endpoints.ts'
export type { Acting } from './context.ts'
export { operator } from './context.ts'
export type { Applicant } from './hiring.ts'
export type { Staff, StaffOptions } from './staff.ts'
export { createStaff } from './staff.ts'
