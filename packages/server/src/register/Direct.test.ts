import { assert, describe, it } from "@effect/vitest"
import { RegistrationConfig, SchedulerPort, SchedulerUnavailable, WorkerRegistration } from "@muster/core"
import { Effect, Layer, Result, Stream } from "effect"
import { unreadable } from "../fleetfile/FleetRow.ts"
import { registerDirectly } from "./Direct.ts"
import { Ledger } from "./Ledger.ts"

const valid = (entry: number, id = `w${entry}`) => ({
  entry,
  line: entry,
  input: { id, capabilities: { cpuCores: 1, memoryMb: 1 } },
  issues: []
})

/** A scheduler that refuses the workers called `bad…`, and remembers nothing. */
const scheduler = Layer.succeed(
  SchedulerPort,
  SchedulerPort.make({
    register: ({ id }) =>
      id.startsWith("bad") ? Effect.fail(new SchedulerUnavailable({ message: "refused" })) : Effect.yieldNow,
    unregister: () => Effect.void
  })
)
const registration = WorkerRegistration.layer.pipe(
  Layer.provide(RegistrationConfig.layer({ maxRetries: 0 })),
  Layer.provide(scheduler)
)

describe("registering the rows of a file", () => {
  it.effect("settles every row, whatever becomes of its neighbours", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(undefined)
      const rows = [
        unreadable({ entry: 1, line: 1 }, "?", "a row", "none"),
        valid(2),
        valid(3, "bad"),
        valid(4, "not an id"),
        valid(5)
      ]
      yield* registerDirectly(Stream.fromIterable(rows), ledger)
      const { failuresByType, registered } = ledger.tally
      assert.strictEqual(registered, 2)
      assert.deepStrictEqual(Object.fromEntries(failuresByType), {
        InvalidWorker: 2,
        SchedulerUnavailable: 1
      })
      assert.deepStrictEqual(
        ledger.tally.listedFailures
          .toSorted((one, other) => one.entry - other.entry)
          .map(({ line, workerId }) => [line, workerId]),
        [
          [1, "unknown"],
          [3, "bad"],
          [4, "not an id"]
        ]
      )
      assert.deepStrictEqual(ledger.underWay, [])
    }).pipe(Effect.provide(registration))
  )

  it.effect("gives every result to the row that it belongs to, however many are under way", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(undefined)
      const rows = Stream.map(Stream.range(1, 60), (entry) =>
        valid(entry, entry % 3 === 0 ? `bad${entry}` : `w${entry}`)
      )
      yield* registerDirectly(rows, ledger)
      assert.deepStrictEqual(
        ledger.tally.listedFailures.map(({ line, workerId }) => `${line}: ${workerId}`),
        Array.from({ length: 20 }, (_, index) => `${3 * index + 3}: bad${3 * index + 3}`)
      )
    }).pipe(Effect.provide(registration))
  )

  it.effect("reads no further ahead than what is under way, so that memory does not grow with the file", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(undefined)
      let most = 0
      const rows = Stream.range(1, 20_000).pipe(
        Stream.map((entry) => {
          most = Math.max(most, ledger.underWay.length)
          return valid(entry)
        })
      )
      yield* registerDirectly(rows, ledger)
      assert.strictEqual(ledger.tally.registered, 20_000)
      assert.isAtMost(most, 40)
    }).pipe(Effect.provide(registration))
  )

  it.effect("that break off keeps what was under way in the books", () =>
    Effect.gen(function* () {
      const ledger = new Ledger(undefined)
      const rows = Stream.concat(Stream.make(valid(1), valid(2)), Stream.fail("the disk is gone" as const))
      const result = yield* Effect.result(registerDirectly(rows, ledger))
      assert.deepStrictEqual(result, Result.fail("the disk is gone" as const))
      assert.strictEqual(ledger.read, 2)
      assert.strictEqual(ledger.tally.settled + ledger.underWay.length, 2)
    }).pipe(Effect.provide(registration))
  )
})
