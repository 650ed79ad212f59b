import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { EmbeddedScheduler } from "./EmbeddedScheduler.ts"
import type { SchedulerError } from "./SchedulerError.ts"
import { SchedulerPort } from "./SchedulerPort.ts"
import { Worker, WorkerCapabilities, WorkerId } from "./Worker.ts"

const id = (name: string) => WorkerId.make(name)

const worker = (name: string, cpuCores = 1) =>
  Worker.make({ id: id(name), capabilities: WorkerCapabilities.make({ cpuCores, memoryMb: 1024 }) })

const isRefused = (error: SchedulerError) => error._tag === "SchedulerRejected" && error.isOlderGeneration

const { make } = EmbeddedScheduler

const idsOf = (held: Iterable<{ readonly worker: Worker }>) => Array.from(held, ({ worker }) => worker.id)

describe("EmbeddedScheduler", () => {
  it.effect("is the port of its layer", () =>
    Effect.gen(function* () {
      const port = yield* SchedulerPort
      yield* port.register(worker("ci-1"), { generation: 1 })

      const scheduler = yield* EmbeddedScheduler
      assert.strictEqual(yield* scheduler.size, 1)
      assert.deepStrictEqual(port.capabilities, new Set(["registerBatch", "list", "get", "health"]))
    }).pipe(Effect.provide(EmbeddedScheduler.layer))
  )

  describe("register", () => {
    it.effect("replaces a worker at its place", () =>
      Effect.gen(function* () {
        const { port, workers } = make()
        yield* port.register(worker("ci-1"), { generation: 1 })
        yield* port.register(worker("ci-2"), { generation: 1 })
        const replacement = worker("ci-1", 2)
        yield* port.register(replacement, { generation: 2 })

        assert.deepStrictEqual(idsOf(yield* workers), ["ci-1", "ci-2"])
        assert.deepStrictEqual(
          yield* port.get(id("ci-1")),
          Option.some({ worker: replacement, generation: 2 })
        )
      })
    )

    it.effect("refuses a generation older than the held one, and takes an equal one", () =>
      Effect.gen(function* () {
        const { port } = make()
        const held = worker("ci-1")
        yield* port.register(held, { generation: 5 })

        assert.isTrue(isRefused(yield* Effect.flip(port.register(worker("ci-1", 2), { generation: 4 }))))
        assert.deepStrictEqual(yield* port.get(id("ci-1")), Option.some({ worker: held, generation: 5 }))
        yield* port.register(worker("ci-1", 3), { generation: 5 })
      })
    )

    it.effect(
      "refuses a generation older than the worker's last unregistration, and takes an equal one",
      () =>
        Effect.gen(function* () {
          const { port, size } = make()
          yield* port.register(worker("ci-1"), { generation: 1 })
          yield* port.unregister(id("ci-1"), { generation: 5 })
          yield* port.unregister(id("ci-1"), { generation: 3 })

          assert.isTrue(isRefused(yield* Effect.flip(port.register(worker("ci-1"), { generation: 4 }))))
          assert.strictEqual(yield* size, 0)
          yield* port.register(worker("ci-1"), { generation: 5 })
          assert.strictEqual(yield* size, 1)
        })
    )
  })

  describe("unregister", () => {
    it.effect("refuses a generation older than the held one, and takes an equal one", () =>
      Effect.gen(function* () {
        const { port, size } = make()
        yield* port.register(worker("ci-1"), { generation: 5 })

        assert.isTrue(isRefused(yield* Effect.flip(port.unregister(id("ci-1"), { generation: 4 }))))
        assert.strictEqual(yield* size, 1)
        yield* port.unregister(id("ci-1"), { generation: 5 })
        assert.strictEqual(yield* size, 0)
      })
    )

    it.effect("of an absent worker succeeds, and keeps an older registration from arriving late", () =>
      Effect.gen(function* () {
        const { port } = make()
        yield* port.unregister(id("ci-1"), { generation: 5 })
        assert.isTrue(isRefused(yield* Effect.flip(port.register(worker("ci-1"), { generation: 4 }))))
      })
    )

    it.effect("is remembered for as many workers as it was told, and for at most twice as many", () =>
      Effect.gen(function* () {
        const { port } = make({ tombstones: 10 })
        const names = Array.from({ length: 100 }, (_, index) => `ci-${index}`)
        for (const name of names) yield* port.unregister(id(name), { generation: 5 })

        const remembered = yield* Effect.filter(names, (name) =>
          Effect.match(port.register(worker(name), { generation: 4 }), {
            onFailure: isRefused,
            onSuccess: () => false
          })
        )
        assert.includeMembers(remembered, names.slice(-10))
        assert.isAtMost(remembered.length, 20)
      })
    )

    it.effect("remembers the newest generation of a worker, however often it is unregistered", () =>
      Effect.gen(function* () {
        const { port } = make({ tombstones: 2 })
        yield* port.unregister(id("ci-1"), { generation: 9 })
        yield* port.unregister(id("ci-2"), { generation: 1 })
        yield* port.unregister(id("ci-1"), { generation: 3 })
        assert.isTrue(isRefused(yield* Effect.flip(port.register(worker("ci-1"), { generation: 8 }))))
      })
    )
  })

  it.effect("registerBatch answers by position what single calls would", () =>
    Effect.gen(function* () {
      const { port } = make()
      yield* port.register(worker("ci-2"), { generation: 5 })

      const results = yield* port.registerBatch([
        { worker: worker("ci-1"), generation: 1 },
        { worker: worker("ci-2"), generation: 4 },
        { worker: worker("ci-1"), generation: 2 }
      ])
      assert.deepStrictEqual(results.map(Result.isSuccess), [true, false, true])
      assert.deepStrictEqual(yield* port.registerBatch([]), [])
    })
  )

  describe("list", () => {
    const filled = Effect.gen(function* () {
      const scheduler = make()
      const names = Array.from({ length: 1000 }, (_, index) => `ci-${index}`)
      for (const name of names) yield* scheduler.port.register(worker(name), { generation: 1 })
      return { ...scheduler, names }
    })

    it.effect("gives every worker, in the order of first registration", () =>
      Effect.gen(function* () {
        const { names, port, workers } = yield* filled
        const listed = yield* Stream.runCollect(port.list)
        assert.deepStrictEqual(idsOf(listed), names.map(id))
        assert.deepStrictEqual(listed, yield* workers)
        assert.deepStrictEqual(yield* Stream.runCollect(make().port.list), [])
      })
    )

    it.effect("gives each worker that is held throughout exactly once, whatever else changes meanwhile", () =>
      Effect.gen(function* () {
        const { names, port } = yield* filled
        const seen: Array<string> = []
        yield* Stream.runForEach(
          port.list,
          Effect.fnUntraced(function* ({ worker: listed }) {
            // What was read goes and comes back, what comes next goes, and new workers come without end.
            const index = seen.push(listed.id) - 1
            if (index % 2 === 1) return
            yield* port.unregister(listed.id, { generation: 2 })
            yield* port.register(worker(listed.id), { generation: 3 })
            yield* port.register(worker(`new-${index}`), { generation: 1 })
            if (index === 0) yield* port.unregister(id("ci-999"), { generation: 2 })
          })
        )
        assert.deepStrictEqual(seen, names.slice(0, -1))
      })
    )

    it.effect("fails when a restart cuts it off", () =>
      Effect.gen(function* () {
        const { port, restart } = yield* filled
        const cutOff = yield* port.list.pipe(
          Stream.tap(() => restart({ memory: "kept" })),
          Stream.runDrain,
          Effect.flip
        )
        assert.strictEqual(cutOff._tag, "SchedulerUnavailable")
        assert.lengthOf(yield* Stream.runCollect(port.list), 1000)
      })
    )
  })

  describe("restart", () => {
    it.effect("keeps its memory, or loses it with its memory of unregistrations", () =>
      Effect.gen(function* () {
        const { port, restart, size } = make()
        yield* port.register(worker("ci-1"), { generation: 1 })
        yield* port.unregister(id("ci-2"), { generation: 5 })

        yield* restart({ memory: "kept" })
        assert.strictEqual(yield* size, 1)
        yield* Effect.flip(port.register(worker("ci-2"), { generation: 4 }))

        yield* restart({ memory: "lost" })
        assert.strictEqual(yield* size, 0)
        yield* port.register(worker("ci-2"), { generation: 4 })
      })
    )

    it.effect("answers every call with the time that is left, until its downtime is over", () =>
      Effect.gen(function* () {
        const { port, restart, size } = make()
        yield* port.register(worker("ci-1"), { generation: 1 })
        yield* restart({ memory: "kept", downtime: "30 seconds" })
        yield* TestClock.adjust("10 seconds")

        const calls = [
          port.register(worker("ci-2"), { generation: 1 }),
          port.unregister(id("ci-1"), { generation: 2 }),
          port.registerBatch([]),
          Stream.runDrain(port.list),
          port.get(id("ci-1")),
          port.health
        ]
        for (const call of calls) {
          const error = yield* Effect.flip<unknown, SchedulerError, never>(call)
          assert(error._tag === "SchedulerUnavailable")
          assert.deepStrictEqual(error.retryAfter, Duration.seconds(20))
        }
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual(yield* port.health, { status: "healthy" })
        assert.strictEqual(yield* size, 1)
      })
    )

    it.effect("can be for ever, until the next one", () =>
      Effect.gen(function* () {
        const { port, restart } = make()
        yield* restart({ memory: "kept", downtime: Duration.infinity })
        yield* TestClock.adjust("365 days")
        const error = yield* Effect.flip(port.health)
        assert(error._tag === "SchedulerUnavailable")
        assert.isUndefined(error.retryAfter)
        yield* restart({ memory: "kept" })
        yield* port.health
      })
    )
  })

  it.effect("takes everything when it is told to compare no generations", () =>
    Effect.gen(function* () {
      const { port, size } = make({ comparesGenerations: false })
      yield* port.register(worker("ci-1"), { generation: 5 })
      yield* port.register(worker("ci-1"), { generation: 4 })
      yield* port.unregister(id("ci-1"), { generation: 3 })
      yield* port.register(worker("ci-1"), { generation: 2 })
      assert.strictEqual(yield* size, 1)
    })
  )

  it.effect("answers in one step, so that no call is ever between two states", () =>
    Effect.gen(function* () {
      const { port } = make()
      const call = yield* Effect.forkChild(port.register(worker("ci-1"), { generation: 1 }), {
        startImmediately: true
      })
      assert.isDefined(call.pollUnsafe())
      yield* Fiber.join(call)
    })
  )
})
