/**
 * A store of the fleet for tests: another one, usually in memory, that fails, loses its answers, is slow or dies with
 * its process as the test says, and counts what it is asked.
 */
import { type Duration, Effect } from "effect"
import { type FleetStore, StoreUnavailable } from "@muster/core/fleet"

type Store = FleetStore["Service"]

export type StoreOperation = keyof Store

/**
 * How one call is answered. `"does it and fails"`: the answer got lost on its way. `"dies"`: the store has a bug. `before` and `after`: what passes
 * by the `Clock` before it is done, and before the caller knows.
 */
export type StoreAnswer =
  | "succeeds"
  | "fails"
  | "does it and fails"
  | "dies"
  | { readonly before?: Duration.Input; readonly after?: Duration.Input }

export class TestFleetStore {
  readonly service: Store
  /** How calls are answered from now on; asked once for each. */
  answer: (operation: StoreOperation) => StoreAnswer = () => "succeeds"
  private readonly counts = new Map<StoreOperation, number>()

  constructor(store: Store) {
    this.service = {
      modify: (read, decide) => this.call("modify", store.modify(read, decide)),
      get: (workerIds) => this.call("get", store.get(workerIds)),
      list: (filter, limit, after) => this.call("list", store.list(filter, limit, after)),
      browse: (filter, window) => this.call("browse", store.browse(filter, window)),
      due: (now, limit) => this.call("due", store.due(now, limit)),
      nextDueAt: (now) => this.call("nextDueAt", store.nextDueAt(now)),
      oldestUnfinished: this.call("oldestUnfinished", store.oldestUnfinished),
      expired: (now, limit) => this.call("expired", store.expired(now, limit)),
      scan: (after, limit) => this.call("scan", store.scan(after, limit)),
      timeline: (workerId) => this.call("timeline", store.timeline(workerId)),
      segments: (after, limit) => this.call("segments", store.segments(after, limit)),
      overview: this.call("overview", store.overview),
      kinds: this.call("kinds", store.kinds),
      forget: (options) => this.call("forget", store.forget(options)),
      forgetHistory: (options) => this.call("forgetHistory", store.forgetHistory(options)),
      probe: this.call("probe", store.probe)
    }
  }

  /** How often it was asked for this. */
  count(operation: StoreOperation): number {
    return this.counts.get(operation) ?? 0
  }

  private call<A>(
    operation: StoreOperation,
    perform: Effect.Effect<A, StoreUnavailable>
  ): Effect.Effect<A, StoreUnavailable> {
    return Effect.suspend(() => {
      this.counts.set(operation, this.count(operation) + 1)
      const answer = this.answer(operation)
      const failure = Effect.fail(new StoreUnavailable({ message: `no ${operation}` }))
      if (answer === "succeeds") return perform
      if (answer === "fails") return failure
      if (answer === "dies") return Effect.die(`a mistake in ${operation}`)
      if (answer === "does it and fails") return Effect.andThen(perform, failure)
      return Effect.sleep(answer.before ?? 0).pipe(
        Effect.andThen(perform),
        Effect.tap(() => Effect.sleep(answer.after ?? 0))
      )
    })
  }
}
