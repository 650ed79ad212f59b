/**
 * The suite that every implementation of `SchedulerPort` passes: what "idempotent", "by position", "refuses an older
 * generation" mean, as tests. An adapter's own test file calls it with a layer that ends at the real scheduler.
 */
import { assert, describe, layer as withLayer } from "@effect/vitest"
import { Duration, Effect, Fiber, type Layer, Option, Result, Schema, type Scope, Stream } from "effect"
import {
  type SchedulerCapability,
  type SchedulerError,
  SchedulerHealth,
  type SchedulerPort,
  type Worker
} from "@muster/core"
import { inParallel, PortTrial, toJson, TrialIds, withEverything, withMoreCores } from "./PortTrial.ts"

export interface SchedulerPortContractOptions {
  /**
   * The optional parts that the port has: their tests are declared, and the port must have exactly these. Default:
   * all of them.
   */
  readonly capabilities?: ReadonlyArray<SchedulerCapability> | undefined
  /** Whether the scheduler refuses older generations. Default `true`. */
  readonly comparesGenerations?: boolean | undefined
  /** Whether it refuses a registration that is older than the unregistration. Default: as `comparesGenerations`. */
  readonly remembersUnregistrations?: boolean | undefined
  /** Whether what the scheduler holds has its generation. Default: as `comparesGenerations`. */
  readonly keepsGenerations?: boolean | undefined
  /**
   * What of a worker the scheduler keeps, where it cannot keep everything: what it gives back and what was registered
   * are the same under this function. `"ids"`: nothing but the id. Default: the worker as JSON.
   */
  readonly keeps?: ((worker: Worker) => unknown) | "ids" | undefined
  /** `"live"` where the port waits for something outside of this process; `"test"` (default) for `TestClock`. */
  readonly clock?: "test" | "live" | undefined
  /** The longest that one test, and the building of the layer, may take. Default 30 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * What every worker id of this run begins with; the scheduler must hold no other worker whose id does. 1–200
   * characters, beginning with a letter or digit. Default: different in every run.
   */
  readonly idPrefix?: string | undefined
  /** How many workers the listing is tried with: more than one page of the scheduler. Default 300. */
  readonly listed?: number | undefined
}

/**
 * Declares the suite for one implementation, as a `describe` block. The layer is built once and shared; every test
 * uses worker ids of its own and unregisters them at its end, so that the suite can run against a scheduler that is
 * in use.
 *
 * @example
 * ```ts
 * import { EmbeddedScheduler } from "@muster/core"
 * import { schedulerPortContract } from "@muster/testing"
 *
 * schedulerPortContract("EmbeddedScheduler", EmbeddedScheduler.layer)
 * ```
 *
 * @example
 * ```ts
 * // A scheduler on the network that can neither list nor compare, and keeps nothing but cores and memory.
 * schedulerPortContract("Queue", Queue.layer({ host }), {
 *   capabilities: ["get", "health"],
 *   comparesGenerations: false,
 *   keeps: ({ capabilities: { cpuCores, memoryMb }, id }) => ({ id, cpuCores, memoryMb }),
 *   clock: "live"
 * })
 * ```
 */
export const schedulerPortContract = <E>(
  name: string,
  layer: Layer.Layer<SchedulerPort, E>,
  options: SchedulerPortContractOptions = {}
): void => {
  const { capabilities = everyCapability, clock = "test", comparesGenerations = true } = options
  const { remembersUnregistrations = comparesGenerations, timeout = "30 seconds" } = options
  const ids = new TrialIds(options.idPrefix)
  const storage = {
    keeps: options.keeps ?? toJson,
    keepsGenerations: options.keepsGenerations ?? comparesGenerations
  }
  const has = (capability: SchedulerCapability) => capabilities.includes(capability)
  const canLook = has("get") || has("list")

  // Named: a layer without a name is closed when the tests end that stand in it directly.
  withLayer(layer, { excludeTestServices: clock === "live", timeout })(`${name} is a SchedulerPort`, (it) => {
    const test: DeclareTest = (behaviour, body) =>
      it.effect(
        behaviour,
        () => Effect.flatMap(PortTrial.make(ids, storage), body),
        Duration.toMillis(timeout)
      )

    test("has exactly the optional parts that it was declared with", ({ port }) =>
      Effect.sync(() =>
        assert.deepStrictEqual(Array.from(port.capabilities).toSorted(), Array.from(capabilities).toSorted())
      ))
    const section = (title: string, ...groups: ReadonlyArray<Group>) => declare(title, groups, test)
    section("register and unregister", [testSingleCalls, true], [testStateOfSingleCalls, canLook])
    section(
      "generations",
      [testGenerations, comparesGenerations],
      [testStateOfRefusals, comparesGenerations && canLook],
      [testRememberedUnregistrations, comparesGenerations && remembersUnregistrations]
    )
    section(
      "registerBatch",
      [testBatches, has("registerBatch")],
      [testStateOfBatches, has("registerBatch") && canLook],
      [testMixedBatch, has("registerBatch") && comparesGenerations]
    )
    section("get", [testGet, has("get")])
    section("list", [testList(options.listed ?? 300), has("list")])
    section("health", [testHealth, has("health")])
  })
}

/** Tests, and whether the port under test has what they are about. */
type Group = readonly [tests: (test: DeclareTest) => void, apply: boolean]

const declare = (title: string, groups: ReadonlyArray<Group>, test: DeclareTest): void => {
  const applicable = groups.filter(([, apply]) => apply)
  if (applicable.length === 0) return
  // oxlint-disable-next-line vitest/valid-title -- it is a string, as its type says
  describe(title, () => {
    for (const [tests] of applicable) tests(test)
  })
}

const everyCapability: ReadonlyArray<SchedulerCapability> = ["registerBatch", "list", "get", "health"]

type DeclareTest = <A, E>(
  behaviour: string,
  body: (trial: PortTrial) => Effect.Effect<A, E, Scope.Scope>
) => void

const testSingleCalls = (test: DeclareTest) => {
  test(
    "registering a registered worker succeeds",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const generation = yield* trial.register(worker)
      yield* trial.port.register(worker, { generation })
      yield* trial.register(worker)
    })
  )

  test(
    "unregistering an absent worker succeeds, again and again",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const { id } = yield* trial.worker()
      const generation = yield* trial.unregister(id)
      yield* trial.port.unregister(id, { generation })
      yield* trial.unregister(id)
    })
  )

  test(
    "a worker that was unregistered can be registered and unregistered again",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      for (const _ of [1, 2, 3]) {
        yield* trial.register(worker)
        yield* trial.unregister(worker.id)
      }
    })
  )

  test(
    "a call can be interrupted at any moment, and the next ones succeed",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const workers = yield* trial.workers(20)
      for (const [turns, worker] of workers.entries()) {
        const call = yield* Effect.forkChild(trial.register(worker), { startImmediately: true })
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        yield* Fiber.interrupt(call)
      }
      yield* inParallel(workers, trial.register)
      yield* inParallel(workers, ({ id }) => trial.unregister(id))
    })
  )
}

const testStateOfSingleCalls = (test: DeclareTest) => {
  test(
    "a call does nothing until it is run",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const generation = trial.ids.generation()
      const call = trial.port.register(worker, { generation })
      yield* trial.expectAbsent(worker.id)
      yield* call
      yield* trial.expectHeld(worker, generation)
    })
  )

  test(
    "a registered worker is held, and replaced by registering it again",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      yield* trial.expectHeld(worker, yield* trial.register(worker))
      const replacement = withMoreCores(worker)
      yield* trial.expectHeld(replacement, yield* trial.register(replacement))
    })
  )

  test(
    "an unregistered worker is gone, until it is registered again",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      yield* trial.register(worker)
      yield* trial.unregister(worker.id)
      yield* trial.expectAbsent(worker.id)
      yield* trial.expectHeld(worker, yield* trial.register(worker))
    })
  )

  test(
    "ids of any length and punctuation, however alike, are different workers",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const workers = yield* trial.lookalikes()
      const generations = yield* Effect.forEach(workers, trial.register)
      for (const [index, worker] of workers.entries()) {
        yield* trial.expectHeld(worker, generations[index])
        yield* trial.unregister(worker.id)
        yield* trial.expectAbsent(worker.id)
      }
    })
  )

  test(
    "calls for many workers at the same time each do what they say",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const leaving = yield* trial.workers(50)
      const staying = yield* trial.workers(50)
      yield* Effect.forEach(leaving, trial.register, { concurrency: "unbounded" })
      yield* Effect.all([...leaving.map(({ id }) => trial.unregister(id)), ...staying.map(trial.register)], {
        concurrency: "unbounded"
      })
      yield* inParallel(leaving, ({ id }) => trial.expectAbsent(id))
      yield* inParallel(staying, (worker) => trial.expectHeld(worker))
    })
  )
}

const testGenerations = (test: DeclareTest) => {
  test(
    "a registration of the generation that is held succeeds",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const generation = yield* trial.register(worker)
      yield* trial.port.register(worker, { generation })
    })
  )

  test(
    "an unregistration of the generation that is held succeeds",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const generation = yield* trial.register(worker)
      yield* trial.port.unregister(worker.id, { generation })
    })
  )

  test(
    "an older registration is refused",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const older = trial.ids.generation()
      yield* trial.register(worker)
      yield* expectRefusal(trial.port.register(worker, { generation: older }))
    })
  )

  test(
    "an older unregistration is refused",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const older = trial.ids.generation()
      yield* trial.register(worker)
      yield* expectRefusal(trial.port.unregister(worker.id, { generation: older }))
    })
  )
}

const testStateOfRefusals = (test: DeclareTest) => {
  test(
    "a refused call changes nothing",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const older = { generation: trial.ids.generation() }
      const generation = yield* trial.register(worker)
      yield* expectRefusal(trial.port.register(withMoreCores(worker), older))
      yield* expectRefusal(trial.port.unregister(worker.id, older))
      yield* trial.expectHeld(worker, generation)
    })
  )
}

const testRememberedUnregistrations = (test: DeclareTest) => {
  test(
    "a registration older than the worker's unregistration does not bring it back",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const older = trial.ids.generation()
      yield* trial.register(worker)
      yield* trial.unregister(worker.id)
      yield* expectRefusal(trial.port.register(worker, { generation: older }))
    })
  )

  test(
    "a registration that its worker's unregistration has overtaken is refused",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = yield* trial.worker()
      const older = trial.ids.generation()
      yield* trial.unregister(worker.id)
      yield* expectRefusal(trial.port.register(worker, { generation: older }))
      yield* trial.register(worker)
    })
  )
}

const testBatches = (test: DeclareTest) => {
  test(
    "registers every member, and answers by position",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const workers = yield* trial.workers(20)
      const results = yield* trial.port.registerBatch(trial.members(workers))
      assert.deepStrictEqual(
        results,
        workers.map(() => Result.void)
      )
    })
  )

  test(
    "replaces members that are registered",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const workers = yield* trial.workers(2)
      yield* trial.port.registerBatch(trial.members(workers.slice(1)))
      const results = yield* trial.port.registerBatch(trial.members(workers.map(withMoreCores)))
      assert.deepStrictEqual(results, [Result.void, Result.void])
    })
  )

  test(
    "answers an empty batch with no results",
    Effect.fnUntraced(function* (trial: PortTrial) {
      assert.deepStrictEqual(yield* trial.port.registerBatch([]), [])
    })
  )
}

const testStateOfBatches = (test: DeclareTest) => {
  test(
    "leaves the scheduler with what single calls would have left",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const [first, second] = yield* trial.workers(2)
      assert(first !== undefined && second !== undefined)
      yield* trial.register(second)
      const replacement = withMoreCores(second)
      const members = trial.members([first, replacement])
      yield* trial.port.registerBatch(members)
      yield* trial.expectHeld(first, members[0]?.generation)
      yield* trial.expectHeld(replacement, members[1]?.generation)
    })
  )

  test(
    "leaves the later one of two members for the same worker",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const [worker, other] = yield* trial.workers(2)
      assert(worker !== undefined && other !== undefined)
      const replacement = withMoreCores(worker)
      const members = trial.members([worker, other, replacement])
      const results = yield* trial.port.registerBatch(members)
      assert.lengthOf(results, 3)
      assert.deepStrictEqual(results.slice(1), [Result.void, Result.void])
      yield* trial.expectHeld(replacement, members[2]?.generation)
    })
  )
}

const testMixedBatch = (test: DeclareTest) => {
  test(
    "answers each member as a single call would, whatever the others get",
    Effect.fnUntraced(function* (trial: PortTrial) {
      // Twins: what is refused of one is refused of the other.
      const [inBatch, single] = yield* Effect.all([trial.workers(4), trial.workers(4)])
      const older = trial.ids.generation()
      for (const worker of [inBatch[1], inBatch[2], single[1], single[2]]) {
        if (worker !== undefined) yield* trial.register(worker)
      }
      const newer = trial.ids.generation()
      const members = (workers: ReadonlyArray<Worker>) =>
        workers.map((worker, index) => ({ worker, generation: index === 1 ? older : newer }))

      const batchResults = yield* trial.port.registerBatch(members(inBatch))
      const singleResults = yield* Effect.forEach(members(single), ({ generation, worker }) =>
        Effect.result(trial.port.register(worker, { generation }))
      )
      assert.deepStrictEqual(singleResults.map(kindOf), ["accepted", "refused", "accepted", "accepted"])
      assert.deepStrictEqual(batchResults.map(kindOf), singleResults.map(kindOf))
    })
  )
}

const testGet = (test: DeclareTest) => {
  test(
    "gives nothing for a worker that was never registered",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const { id } = yield* trial.worker()
      assert.deepStrictEqual(yield* trial.port.get(id), Option.none())
    })
  )

  test(
    "gives a worker back with everything that it was registered with",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = withEverything(yield* trial.worker())
      const generation = yield* trial.register(worker)
      trial.assertSame(Option.getOrUndefined(yield* trial.port.get(worker.id)), worker, generation)
    })
  )
}

const testList = (count: number) => (test: DeclareTest) => {
  test(
    "gives exactly what is registered, each worker once, every time that it is run",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const workers = yield* trial.workers(count)
      yield* inParallel(workers, trial.register)
      const [gone, ...kept] = workers
      assert(gone !== undefined)
      yield* trial.unregister(gone.id)

      const expected = kept.map(({ id }) => id).toSorted()
      for (const _ of [1, 2]) {
        const listed = yield* Stream.runCollect(trial.listed)
        assert.deepStrictEqual(listed.map(({ worker }) => worker.id).toSorted(), expected)
      }
    })
  )

  test(
    "gives workers with everything that they were registered with",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const worker = withEverything(yield* trial.worker())
      const generation = yield* trial.register(worker)
      trial.assertSame((yield* Stream.runCollect(trial.listed))[0], worker, generation)
    })
  )

  test(
    "can be left early",
    Effect.fnUntraced(function* (trial: PortTrial) {
      yield* inParallel(yield* trial.workers(10), trial.register)
      assert.lengthOf(yield* Stream.runCollect(Stream.take(trial.listed, 1)), 1)
      assert.lengthOf(yield* Stream.runCollect(trial.listed), 10)
    })
  )
}

const testHealth = (test: DeclareTest) => {
  test(
    "says that a scheduler which answers is available",
    Effect.fnUntraced(function* (trial: PortTrial) {
      const health = yield* trial.port.health
      assert.isTrue(Schema.is(SchedulerHealth)(health))
      assert.notStrictEqual(health.status, "unavailable")
    })
  )
}

const expectRefusal = <A>(call: Effect.Effect<A, SchedulerError>) =>
  Effect.map(Effect.result(call), (result) => assert.strictEqual(kindOf(result), "refused"))

const kindOf = (result: Result.Result<unknown, SchedulerError>): string => {
  if (Result.isSuccess(result)) return "accepted"
  const error = result.failure
  return error._tag === "SchedulerRejected" && error.isOlderGeneration ? "refused" : error._tag
}
