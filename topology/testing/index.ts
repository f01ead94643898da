/** Tests of stream programs: the real runtime on a memory log and a hand-turned clock. */
export { HandClock, StallableClock } from './hand-clock.ts'
export { TopologyDriver } from './driver.ts'
export type { DriverMember, DriverOptions, ReadRecord } from './driver.ts'
