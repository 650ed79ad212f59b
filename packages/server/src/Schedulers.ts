/**
 * From the value of `--scheduler` to the scheduler it names. Every command that drives a scheduler itself goes
 * through here, so that all of them know the same ones.
 */
import { EmbeddedScheduler, SchedulerPort } from "@muster/core"
import { Layer } from "effect"
import { WrongUsage } from "./WrongUsage.ts"

/** The scheduler that is used where none is named. */
export const defaultScheduler = "embedded"

/**
 * The scheduler that `spec` names: in this version `embedded`, which lives in this process and forgets with it.
 * Building the layer fails with {@link WrongUsage} for anything else.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 * import { schedulerLayer } from "./Schedulers.ts"
 *
 * const registration = WorkerRegistration.layer.pipe(Layer.provide(schedulerLayer("embedded")))
 * ```
 */
export const schedulerLayer = (spec: string): Layer.Layer<SchedulerPort, WrongUsage> =>
  spec === defaultScheduler ? EmbeddedScheduler.layer : Layer.effect(SchedulerPort, unsupported(spec))

const unsupported = (spec: string) =>
  new WrongUsage({
    message:
      `--scheduler (MUSTER_SCHEDULER) ${JSON.stringify(spec.slice(0, 100))} is not supported: ` +
      `this version of muster has "${defaultScheduler}"`
  })
