/**
 * The parts of the service that an Effect application can use without running it.
 */
export type { Failure } from "./fleet/Failure.ts"
export { Fleet, FleetFull, NoDeadLetter, UnknownWorker, WorkerGone } from "./fleet/Fleet.ts"
export type { Accepted, FleetOptions, Retried, StatusPage, WorkerTimeline } from "./fleet/Fleet.ts"
export type { WorkerStatus } from "./fleet/FleetEntry.ts"
export type { Phase } from "./fleet/Phase.ts"
export type { TimelineItem } from "./fleet/Timeline.ts"
export { schedulerLayer } from "./Schedulers.ts"
export { Telemetry } from "./Telemetry.ts"
export { WrongUsage } from "./WrongUsage.ts"
