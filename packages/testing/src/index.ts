/**
 * Muster's test kit: a scheduler whose answers a test writes down.
 */
export * from "./TestScheduler.ts"
export * from "./SchedulerPortContract.ts"
