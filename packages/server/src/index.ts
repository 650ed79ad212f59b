/**
 * The parts of the service that an Effect application can use without running it.
 */
export { schedulerLayer } from "./Schedulers.ts"
export { Telemetry } from "./Telemetry.ts"
export { WrongUsage } from "./WrongUsage.ts"
