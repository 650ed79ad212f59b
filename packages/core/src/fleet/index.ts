/**
 * The fleet: the state that is wanted of every worker, kept durably, and the loop that brings the scheduler to it.
 */
export * from "./Failure.ts"
export * from "./Fleet.ts"
export * from "./FleetOptions.ts"
export * from "./FleetStore.ts"
export * from "./MemoryFleetStore.ts"
export * from "./PageBudget.ts"
export * from "./Phase.ts"
export * from "./Priority.ts"
export { furthestGeneration, isKept, type RestoredState, type RestoredWorker } from "./Restoration.ts"
export * from "./StoredWorker.ts"
export * from "./Timeline.ts"
export * from "./WorkerRecord.ts"
export type { DriftReport } from "./Drift.ts"
export type { Lease } from "./Leases.ts"
export { type Accepted, KeyReused, type Once } from "./Once.ts"
export type { EventPosition, PhaseEvent } from "./PhaseEvents.ts"
