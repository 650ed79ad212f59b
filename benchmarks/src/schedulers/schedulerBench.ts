/** What a scheduler's adapter is compared with: clients of the same protocol that know nothing but the protocol. */
import type { SchedulerPort, Worker } from "@muster/core"
import type { Layer } from "effect"

/** A scheduler that runs, for as long as it is not disposed of. */
export interface RunningScheduler extends AsyncDisposable {
  readonly adapter: Layer.Layer<SchedulerPort, { readonly message: string }>
  /** Registers one worker as directly as the protocol can. */
  readonly register: (worker: Worker, generation: number) => Promise<void>
}

export interface SchedulerBench {
  readonly name: string
  /** Programs that must be installed. */
  readonly programs: ReadonlyArray<string>
  /** How many workers a round registers: one call at a time, many at a time, through Muster. About a second each. */
  readonly workers: { readonly oneByOne: number; readonly together: number; readonly muster: number }
  readonly start: () => Promise<RunningScheduler>
}
