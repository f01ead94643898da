export { StateBudget } from './state-budget.ts'
export type { StateBudgetOptions } from './state-budget.ts'
export { TaskState } from './task-state.ts'
export type { TaskStateOptions } from './task-state.ts'
