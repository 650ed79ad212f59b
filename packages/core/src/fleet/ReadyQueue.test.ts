import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { WorkerId } from "../WorkerId.ts"
import type { DueWorker } from "./FleetStore.ts"
import type { Priority } from "./Priority.ts"
import { laneCapacity, ReadyQueue } from "./ReadyQueue.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

const record = (
  name: string,
  { dueAt = 0, ...changes }: Partial<WorkerRecord> = {}
): WorkerRecord & { readonly dueAt: number } => ({
  id: WorkerId.make(name),
  stored: undefined,
  desired: "registered",
  phase: "pending",
  priority: "normal",
  generation: 1,
  task: "call",
  dueAt,
  unfinishedSince: dueAt,
  repairs: undefined,
  attempts: 0,
  failures: 0,
  failingSince: undefined,
  losses: 0,
  saidReady: false,
  createdAt: 0,
  updatedAt: 0,
  registeredAt: undefined,
  nextAttemptAt: undefined,
  notBefore: undefined,
  lastError: undefined,
  lastEvent: undefined,
  owner: undefined,
  trace: undefined,
  leaseTtl: undefined,
  leaseExpiresAt: undefined,
  told: 0,
  ...changes
})

const limit = laneCapacity + 8

/** A queue that knows all that is due in the store: these. */
const queueOf = (...records: ReadonlyArray<WorkerRecord & DueWorker>) => {
  const queue = new ReadyQueue()
  queue.beginRefill()
  queue.endRefill(records, records, limit)
  return queue
}

/** The names of all that are taken, in order. */
const takeAll = (queue: ReadyQueue, atMost = Infinity): ReadonlyArray<string> => {
  const names: Array<string> = []
  while (names.length < atMost) {
    const taken = queue.take()
    if (taken === undefined) break
    names.push(taken.id)
  }
  return names
}

const many = (count: number, prefix: string, changes?: Partial<WorkerRecord>) =>
  Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, changes))

describe("ReadyQueue", () => {
  describe("order", () => {
    it("workers of one kind go in the order in which they came", () => {
      const queue = queueOf()
      for (const name of ["b", "a", "c"]) queue.offer(record(name))
      assert.deepStrictEqual(takeAll(queue), ["b", "a", "c"])
    })

    it("urgent ones go first", () => {
      const queue = queueOf()
      for (const priority of ["low", "normal", "high", "critical"] as const) {
        queue.offer(record(priority, { priority }))
      }
      assert.deepStrictEqual(takeAll(queue), ["critical", "high", "normal", "low"])
    })

    it("but pass nobody who has waited longer than the patience of its priority", () => {
      const passes = (priority: Priority, waited: number) => {
        const queue = queueOf()
        queue.offer(record("older", { priority, dueAt: 0 }))
        queue.offer(record("critical", { priority: "critical", dueAt: waited }))
        return queue.take()?.id === "critical"
      }
      assert.isTrue(passes("high", 9_999))
      assert.isFalse(passes("high", 10_001))
      assert.isTrue(passes("normal", 59_999))
      assert.isFalse(passes("normal", 60_001))
      assert.isTrue(passes("low", 299_999))
      assert.isFalse(passes("low", 300_001))
    })

    it("registrations and unregistrations take turns, and none waits for a turn that nobody takes", () => {
      const queue = queueOf()
      for (const each of many(5, "in")) queue.offer(each)
      for (const each of many(2, "out", { desired: "unregistered" })) queue.offer(each)
      assert.deepStrictEqual(takeAll(queue), ["in0", "out0", "in1", "out1", "in2", "in3", "in4"])
    })

    it("a check is the least urgent registration, whatever the worker's priority", () => {
      const queue = queueOf()
      queue.offer(record("check", { priority: "critical", task: "check" }))
      queue.offer(record("normal"))
      assert.deepStrictEqual(takeAll(queue), ["normal", "check"])
    })
  })

  describe("a queued worker that changes", () => {
    it("keeps its place in its lane, and goes out as it is now", () => {
      const queue = queueOf(record("a"), record("b"))
      queue.update(record("a", { generation: 2 }))
      assert.strictEqual(queue.take()?.generation, 2)
      assert.deepStrictEqual(takeAll(queue), ["b"])
    })

    it("moves to the end of the lane that it belongs to now, and is there once", () => {
      const queue = queueOf(record("a"), record("b", { priority: "critical" }))
      queue.update(record("a", { priority: "critical" }))
      assert.strictEqual(queue.size, 2)
      assert.deepStrictEqual(takeAll(queue), ["b", "a"])
      assert.strictEqual(queue.size, 0)
    })

    it("is not taken any more when it is removed, and only once when it comes back", () => {
      const queue = queueOf(record("a"), record("b"))
      queue.remove(WorkerId.make("a"))
      assert.isFalse(queue.has(WorkerId.make("a")))
      queue.offer(record("a", { generation: 2 }))
      assert.deepStrictEqual(takeAll(queue), ["b", "a"])
    })

    it("leaves no trace, however often it comes and goes", () => {
      const queue = queueOf()
      for (let i = 0; i < 20 * laneCapacity; i++) {
        queue.offer(record("a", { generation: i }))
        assert.strictEqual(queue.take()?.generation, i)
        queue.offer(record("b"))
        queue.remove(WorkerId.make("b"))
      }
      assert.deepStrictEqual(takeAll(queue), [])
      assert.isFalse(queue.hasMore)
    })
  })

  describe("bounds", () => {
    it("takes nothing before it has asked the store, which may hold older ones", () => {
      const queue = new ReadyQueue()
      queue.offer(record("a"))
      assert.strictEqual(queue.size, 0)
      assert.isTrue(queue.isHungry)
    })

    it("a full lane refuses, and until the store was asked again it refuses all", () => {
      const queue = queueOf()
      for (const each of many(laneCapacity + 1, "w")) queue.offer(each)
      assert.strictEqual(queue.size, laneCapacity)
      takeAll(queue, 10)
      queue.offer(record("late"))
      assert.isFalse(queue.has(WorkerId.make("late")))
      assert.isTrue(queue.hasMore)
      // Another lane has room all the same.
      queue.offer(record("urgent", { priority: "critical" }))
      assert.isTrue(queue.has(WorkerId.make("urgent")))
    })

    it("is hungry when a lane of which there is more in the store is down to a quarter", () => {
      const queue = queueOf()
      for (const each of many(laneCapacity + 1, "w")) queue.offer(each)
      assert.isFalse(queue.isHungry)
      takeAll(queue, (laneCapacity / 4) * 3 - 1)
      assert.isFalse(queue.isHungry)
      takeAll(queue, 1)
      assert.isTrue(queue.isHungry)
    })

    it("is not hungry when there is nothing more in the store", () => {
      const queue = queueOf(record("a"))
      takeAll(queue)
      assert.isFalse(queue.isHungry)
    })
  })

  describe("a refill", () => {
    it("that found as many as it asked for expects more; one that found fewer does not", () => {
      const queue = new ReadyQueue()
      const due = many(limit, "w")
      queue.beginRefill()
      queue.endRefill(due, due, limit)
      assert.isTrue(queue.hasMore)
      assert.strictEqual(queue.size, laneCapacity)
      takeAll(queue, laneCapacity)
      queue.beginRefill()
      queue.endRefill(due.slice(laneCapacity), due.slice(laneCapacity), limit)
      assert.isFalse(queue.hasMore)
      assert.strictEqual(queue.size, limit - laneCapacity)
    })

    it("adds nobody twice", () => {
      const queue = queueOf(record("a"))
      queue.beginRefill()
      queue.endRefill([record("a"), record("b")], [record("a"), record("b")], limit)
      assert.deepStrictEqual(takeAll(queue), ["a", "b"])
    })

    it("during which something came is followed by another one", () => {
      const queue = new ReadyQueue()
      queue.beginRefill()
      queue.offer(record("meanwhile"))
      queue.endRefill([], [], limit)
      assert.isTrue(queue.isHungry)
      queue.beginRefill()
      queue.endRefill([record("meanwhile")], [record("meanwhile")], limit)
      assert.isFalse(queue.hasMore)
      assert.deepStrictEqual(takeAll(queue), ["meanwhile"])
    })

    it("during which more came to be expected is followed by another one", () => {
      const queue = queueOf()
      queue.beginRefill()
      queue.expectMore()
      queue.endRefill([], [], limit)
      assert.isTrue(queue.isHungry)
    })
  })
})

describe("a fleet that has more to do than it can at once", () => {
  const quiet = { driftInterval: Duration.infinity, checkAfter: Duration.infinity }
  const settle = TestClock.adjust(Duration.zero)

  const busy = (concurrency: number, call: Duration.Input = "100 millis") =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, concurrency } })
      const slow = [TestScheduler.always(TestScheduler.delay(call))] as const
      yield* test.scheduler.onEvery("register", slow)
      yield* test.scheduler.onEvery("unregister", slow)
      return test
    })

  it.effect("does all of it, though no lane holds so many", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: { ...quiet, concurrency: 8 } })
      yield* test.scheduler.onEvery("register", [TestScheduler.delay("1 millis")])
      yield* Effect.forEach(
        Array.from({ length: 5000 }, (_, index) => `w${index}`),
        (name) => test.want(name),
        { concurrency: "unbounded", discard: true }
      )
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(yield* test.held, 5000)
      assert.lengthOf(yield* test.scheduler.calls, 5000)
      assert.deepInclude(yield* test.fleet.load, { unfinished: 0, inFlight: 0 })
      const order = (yield* test.scheduler.calls).map(({ workerId }) => String(workerId))
      assert.deepStrictEqual(
        order,
        Array.from({ length: 5000 }, (_, index) => `w${index}`)
      )
    })
  )

  it.effect("does all of it after a restart too", () =>
    Effect.gen(function* () {
      const test = yield* busy(20)
      yield* Effect.forEach(
        Array.from({ length: 2000 }, (_, index) => `w${index}`),
        (name) => test.want(name),
        { concurrency: "unbounded", discard: true }
      )
      yield* TestClock.adjust("1 second")
      yield* test.crash
      yield* test.start
      yield* TestClock.adjust("11 seconds")
      assert.lengthOf(yield* test.held, 2000)
      assert.deepInclude(yield* test.fleet.load, { unfinished: 0, inFlight: 0 })
    })
  )

  it.effect("does the least urgent too, while critical ones keep coming faster than they can be done", () =>
    Effect.gen(function* () {
      const test = yield* busy(1, "500 millis")
      yield* test.want("patient", { priority: "low" })
      let came = 0
      const isDone = Effect.map(test.record("patient"), ({ phase }) => phase === "registered")
      yield* settle
      let seconds = 0
      // It was taken at once, since there was nothing else; so it comes again.
      yield* TestClock.adjust("500 millis")
      for (let i = 0; i < 5; i++) yield* test.want(`c${came++}`, { priority: "critical" })
      yield* test.want("patient", { priority: "low", cpuCores: 2 })
      while (seconds < 600 && (seconds === 0 || !(yield* isDone))) {
        for (let i = 0; i < 3; i++) yield* test.want(`c${came++}`, { priority: "critical" })
        yield* TestClock.adjust("1 second")
        seconds++
      }
      // Two of three are done, so that after 450 seconds those that came in the first 300 are.
      assert.closeTo(seconds, 450, 10)
      assert.isAbove((yield* test.fleet.load).unfinished, 400)
    })
  )

  it.effect("unregistrations do not wait behind ten thousand registrations", () =>
    Effect.gen(function* () {
      const test = yield* busy(10)
      yield* test.want("leaving")
      yield* TestClock.adjust("1 second")
      yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) => `w${index}`),
        (name) => test.want(name, { priority: "critical" }),
        { concurrency: "unbounded", discard: true }
      )
      yield* test.fleet.terminate(WorkerId.make("leaving"), { priority: "low" })
      yield* TestClock.adjust("200 millis")
      assert.strictEqual((yield* test.record("leaving")).phase, "terminated")
      assert.isAbove((yield* test.fleet.load).unfinished, 9_900)
    })
  )

  it.effect("nor registrations behind ten thousand unregistrations", () =>
    Effect.gen(function* () {
      const test = yield* busy(10)
      yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, index) => WorkerId.make(`w${index}`)),
        (workerId) => test.fleet.drop(workerId, {}),
        { concurrency: "unbounded", discard: true }
      )
      yield* test.want("coming")
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(yield* test.held, ["coming"])
    })
  )
})
