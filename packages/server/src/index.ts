/**
 * The parts of the service that an Effect application can use without running it.
 */
export { Fleet, FleetFull, UnknownWorker, WorkerGone } from "./fleet/Fleet.ts"
export type { Accepted, FleetOptions, StatusPage } from "./fleet/Fleet.ts"
export type { Failure, Phase, WorkerStatus } from "./fleet/FleetEntry.ts"
export { schedulerLayer } from "./Schedulers.ts"
export { Telemetry } from "./Telemetry.ts"
export { WrongUsage } from "./WrongUsage.ts"
