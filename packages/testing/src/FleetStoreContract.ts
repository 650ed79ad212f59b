/**
 * The suite that every layer of `FleetStore` passes: what "all or nothing", "in the order in which they became known"
 * and "survives everything" mean, as tests.
 */
import { describe, it } from "@effect/vitest"
import { Duration, Effect, type Layer, type Scope } from "effect"
import type { FleetStore } from "@muster/core/fleet"
import { testForget, testForgetHistory } from "./store/ForgetTests.ts"
import { testNotes, testTimelines } from "./store/HistoryTests.ts"
import { testList } from "./store/ListTests.ts"
import { testAtomicity, testModify } from "./store/ModifyTests.ts"
import { testReopening } from "./store/ReopenTests.ts"
import { type DeclareTest, FleetStoreTrial } from "./store/FleetStoreTrial.ts"
import { testValues } from "./store/ValueTests.ts"
import { testOverview, testWork } from "./store/WorkTests.ts"

export interface FleetStoreContractOptions<E> {
  /**
   * For stores that outlive their process: makes a place that is removed with the scope, and gives the layer that
   * opens a store there, again and again. Default: it is not tried.
   */
  readonly reopens?: Effect.Effect<Layer.Layer<FleetStore, E>, E, Scope.Scope> | undefined
  /** `"live"` where the store waits for something outside of this process; `"test"` (default) for `TestClock`. */
  readonly clock?: "test" | "live" | undefined
  /** The longest that one test may take. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Declares the suite for one store, as a `describe` block. The layer is built for each test and must give an empty
 * store every time.
 *
 * @example
 * ```ts
 * import { MemoryFleetStore } from "@muster/core/fleet"
 * import { fleetStoreContract } from "@muster/testing"
 *
 * fleetStoreContract("MemoryFleetStore", MemoryFleetStore.layer)
 * ```
 */
export const fleetStoreContract = <E>(
  name: string,
  layer: Layer.Layer<FleetStore, E>,
  options: FleetStoreContractOptions<E> = {}
): void => {
  const { clock = "test", reopens, timeout = "30 seconds" } = options
  const run = clock === "live" ? it.live : it.effect

  describe(`${name} is a FleetStore`, () => {
    const test: DeclareTest = (behaviour, body) =>
      run(
        behaviour,
        () => FleetStoreTrial.make.pipe(Effect.flatMap(body), Effect.provide(layer)),
        Duration.toMillis(timeout)
      )

    for (const [title, declare] of sections) {
      // oxlint-disable-next-line vitest/valid-title -- it is a string, as its type says
      describe(title, () => {
        declare(test)
      })
    }
  })
  if (reopens === undefined) return
  describe(`${name} that is opened again`, () => {
    testReopening<E>((behaviour, body) =>
      run(behaviour, () => Effect.flatMap(reopens, body), Duration.toMillis(timeout))
    )
  })
}

const sections: ReadonlyArray<readonly [title: string, declare: (test: DeclareTest) => void]> = [
  ["modify", testModify],
  ["modify, all or nothing", testAtomicity],
  ["values", testValues],
  ["timelines", testTimelines],
  ["notes", testNotes],
  ["list", testList],
  ["what is to be done", testWork],
  ["overview", testOverview],
  ["forget", testForget],
  ["forgetHistory", testForgetHistory]
]
