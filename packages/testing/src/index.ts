/**
 * Muster's test kit: a scheduler whose answers a test writes down, the suite that every scheduler port passes, and
 * every worker and event that there can be.
 */
export * from "./TestScheduler.ts"
export * from "./SchedulerPortContract.ts"
export * from "./Arbitraries.ts"
