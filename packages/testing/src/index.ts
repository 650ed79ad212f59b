/**
 * Muster's test kit: a scheduler whose answers a test writes down, the suites that every scheduler
 * port and every fleet store pass, and every worker and event that there can be.
 */
export * from "./TestScheduler.ts"
export * from "./SchedulerPortContract.ts"
export * from "./FleetStoreContract.ts"
export { record as workerRecord } from "./store/FleetStoreTrial.ts"
export * from "./Arbitraries.ts"
export * from "./TestFleet.ts"
export * from "./TestFleetStore.ts"
