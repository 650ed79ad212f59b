/**
 * Muster's core: register every provisioned worker with its scheduler, and unregister every worker that is gone.
 */
export * from "./Worker.ts"
export * from "./WorkerEvent.ts"
export * from "./SchedulerError.ts"
export * from "./SchedulerPort.ts"
export * from "./RegistrationConfig.ts"
export * from "./RegistrationError.ts"
export * from "./WorkerRegistration.ts"
export * from "./EmbeddedScheduler.ts"
export * from "./policy/AdaptiveConcurrency.ts"
export * from "./policy/CircuitBreaker.ts"
export * from "./policy/MicroBatching.ts"
export * from "./policy/Pacing.ts"
export * from "./policy/RateLimit.ts"
export * from "./policy/RetryBudget.ts"
