import { assert, describe, it } from "@effect/vitest"
import { SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "@muster/core"
import { TestScheduler } from "@muster/testing"
import { Duration, Effect } from "effect"
import { problem, start, waiting, worker } from "./TestRoutes.ts"

describe("Prefer: wait", () => {
  it.live("answers with the scheduler's rejection", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      const rejection = new SchedulerRejected({ message: "no such pool", code: "pool" })
      yield* scheduler.onRegister("a", [TestScheduler.fail(rejection)])
      const { json, status } = yield* send("POST", "/v1/workers", worker("a"), waiting)
      assert.strictEqual(status, 422)
      assert.deepInclude(json, { ...problem("worker-rejected", 422), workerId: "a", attempts: 1 })
      assert.include(json.detail, "no such pool")
    }).pipe(Effect.scoped)
  )

  it.live("answers with the scheduler's failure", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      const fault = new SchedulerFault({ message: "an answer from another planet", retryable: false })
      yield* scheduler.onRegister("a", [TestScheduler.fail(fault)])
      const { json } = yield* send("POST", "/v1/workers", worker("a"), waiting)
      assert.deepInclude(json, problem("scheduler-failure", 502))
    }).pipe(Effect.scoped)
  )

  it.live("answers 202 when the time is over, and the worker goes its way", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* scheduler.onRegister("a", [TestScheduler.hang])
      const { headers, json, status } = yield* send("POST", "/v1/workers", worker("a"), { prefer: "wait=0" })
      assert.strictEqual(status, 202)
      assert.strictEqual(headers.get("preference-applied"), "wait=0")
      assert.include(["pending", "registering"], json.phase)
    }).pipe(Effect.scoped)
  )

  it.live("answers 409 when the worker is terminated meanwhile", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* scheduler.onRegister("a", [TestScheduler.hang])
      const [{ json }] = yield* Effect.all(
        [
          send("POST", "/v1/workers", worker("a"), waiting),
          send("DELETE", "/v1/workers/a").pipe(Effect.repeat({ while: ({ status }) => status === 404 }))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepInclude(json, problem("superseded", 409))
    }).pipe(Effect.scoped)
  )

  it.live("tells each member of a batch what it met", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* scheduler.onRegister("b", [TestScheduler.fail(new SchedulerRejected({ message: "no" }))])
      const { json } = yield* send("POST", "/v1/workers/batch", [worker("a"), worker("b")], waiting)
      assert.deepInclude(json.results[0], { index: 0, status: 200, phase: "registered" })
      assert.deepInclude(json.results[1], { index: 1, status: 422 })
      assert.deepInclude(json.results[1].problem, problem("worker-rejected", 422))
    }).pipe(Effect.scoped)
  )
})

describe("a fleet that is full", () => {
  it.live("answers 503 and when to come back", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start({ fleet: { maxUnfinished: 1 } })
      yield* scheduler.onRegister("a", [TestScheduler.hang])
      yield* send("POST", "/v1/workers", worker("a"))
      const { headers, json } = yield* send("POST", "/v1/workers", worker("b"))
      assert.deepInclude(json, { ...problem("overloaded", 503), retryAfter: 1 })
      assert.strictEqual(headers.get("retry-after"), "1")
      assert.strictEqual(headers.get("content-type"), "application/problem+json")
      const batch = yield* send("POST", "/v1/workers/batch", [worker("b")])
      assert.deepInclude(batch.json.results[0].problem, problem("overloaded", 503))
    }).pipe(Effect.scoped)
  )
})

describe("pages of the largest workers", () => {
  it.live("are as small as can be sent, and all of them together show every worker once", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const labels = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`l${i}`, "x".repeat(1000)]))
      const ids = Array.from({ length: 70 }, (_, i) => `w${i}`)
      for (const id of ids) {
        yield* send("POST", "/v1/workers", { ...worker(id), metadata: { labels } }, waiting)
      }
      for (const path of ["/v1/workers", "/v1/scheduler/workers"]) {
        const seen: Array<string> = []
        let cursor = ""
        do {
          const { json } = yield* send("GET", `${path}?limit=1000${cursor}`)
          assert.isAtMost(json.items.length, 40)
          seen.push(...json.items.map(({ worker }: { worker: { id: string } }) => worker.id))
          cursor = json.nextCursor === null ? "" : `&cursor=${json.nextCursor}`
        } while (cursor !== "")
        assert.deepStrictEqual(seen, ids)
      }
    }).pipe(Effect.scoped)
  )
})

describe("/v1/dead-letters", () => {
  const rejected = TestScheduler.fail(new SchedulerRejected({ message: "no such pool", code: "pool" }))

  const withDeadLetters = Effect.fnUntraced(function* (...ids: ReadonlyArray<string>) {
    const service = yield* start()
    for (const id of ids) {
      yield* service.scheduler.onRegister(id, [rejected])
      const labels = { zone: id === "a" ? "1" : "2" }
      yield* service.send("POST", "/v1/workers", { ...worker(id), metadata: { labels } }, waiting)
    }
    yield* service.send("POST", "/v1/workers", worker("fine"), waiting)
    return service
  })

  it.live("lists them with the reason, page by page, narrowed by filters", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a", "b")
      const first = (yield* send("GET", "/v1/dead-letters?limit=1")).json
      assert.strictEqual(first.total, 2)
      assert.deepInclude(first.items[0], { id: "a", phase: "failed", attempts: 1 })
      assert.include(first.items[0].lastError.message, "no such pool")
      const second = (yield* send("GET", `/v1/dead-letters?limit=1&cursor=${first.nextCursor}`)).json
      assert.strictEqual(second.items[0].id, "b")
      assert.isNull(second.nextCursor)
      const { items } = (yield* send("GET", "/v1/dead-letters?label=zone=2")).json
      assert.deepStrictEqual(
        items.map(({ id }: { id: string }) => id),
        ["b"]
      )
      const wrong = yield* send("GET", "/v1/dead-letters?cursor=x")
      assert.deepInclude(wrong.json, problem("invalid-request", 400))
    }).pipe(Effect.scoped)
  )

  it.live("retries one, and all that match", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a", "b", "c")
      const one = yield* send("POST", "/v1/dead-letters/b/retry")
      assert.strictEqual(one.status, 202)
      assert.deepInclude(one.json, { id: "b", phase: "pending" })
      const some = yield* send("POST", "/v1/dead-letters/retry?label=zone=1")
      assert.strictEqual(some.status, 202)
      assert.deepStrictEqual(some.json, { retried: 1, left: 0 })
      const again = yield* send(
        "POST",
        "/v1/workers",
        { ...worker("b"), metadata: { labels: { zone: "2" } } },
        waiting
      )
      assert.deepInclude(again.json, { phase: "registered", generation: one.json.generation })
      assert.deepStrictEqual((yield* send("POST", "/v1/dead-letters/retry")).json, { retried: 1, left: 0 })
    }).pipe(Effect.scoped)
  )

  it.live("are retried as workers, too", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a")
      const { json, status } = yield* send("POST", "/v1/workers/a/retry")
      assert.strictEqual(status, 202)
      assert.deepInclude(json, { id: "a", phase: "pending" })
    }).pipe(Effect.scoped)
  )

  it.live("refuses to retry all because of a filter that it does not know", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a")
      const { json } = yield* send("POST", "/v1/dead-letters/retry?lable=zone=1&phase=failed")
      assert.deepInclude(json, problem("invalid-request", 400))
      assert.deepStrictEqual(
        json.errors.map(({ path }: { path: string }) => path),
        ["query.lable", "query.phase"]
      )
      assert.strictEqual((yield* send("GET", "/v1/dead-letters")).json.total, 1)
    }).pipe(Effect.scoped)
  )

  it.live("drops one, which is then not wanted any more", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a")
      const dropped = yield* send("DELETE", "/v1/dead-letters/a")
      assert.strictEqual(dropped.status, 202)
      assert.deepInclude(dropped.json, { id: "a", phase: "unregistering" })
      assert.strictEqual((yield* send("GET", "/v1/dead-letters")).json.total, 0)
    }).pipe(Effect.scoped)
  )

  it.live("drops all that match, and nothing because of a filter that it does not know", () =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a", "b", "c")
      const wrong = yield* send("POST", "/v1/dead-letters/drop?lable=zone=1")
      assert.deepInclude(wrong.json, problem("invalid-request", 400))
      const some = yield* send("POST", "/v1/dead-letters/drop?label=zone=1")
      assert.strictEqual(some.status, 202)
      assert.deepStrictEqual(some.json, { dropped: 1, left: 0 })
      assert.strictEqual((yield* send("GET", "/v1/dead-letters")).json.total, 2)
      assert.deepStrictEqual((yield* send("POST", "/v1/dead-letters/drop")).json, { dropped: 2, left: 0 })
      assert.strictEqual((yield* send("GET", "/v1/workers/fine")).json.phase, "registered")
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["POST", "/v1/dead-letters/fine/retry"],
    ["DELETE", "/v1/dead-letters/fine"],
    ["POST", "/v1/dead-letters/unknown/retry"],
    ["DELETE", "/v1/dead-letters/-"]
  ] as const)("answers 404 to %s %s, which has not failed", ([method, path]) =>
    Effect.gen(function* () {
      const { send } = yield* withDeadLetters("a")
      const { json } = yield* send(method, path)
      assert.deepInclude(json, problem("unknown-dead-letter", 404))
    }).pipe(Effect.scoped)
  )
})

describe("POST /v1/workers/{id}/check", () => {
  it.live("asks the scheduler, which has to know a worker that is wanted", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* send("POST", "/v1/workers", worker("a"), waiting)
      const { json, status } = yield* send("POST", "/v1/workers/a/check")
      assert.strictEqual(status, 202)
      assert.deepInclude(json, { id: "a", phase: "registered" })
      while ((yield* scheduler.calls).every(({ operation }) => operation !== "get")) yield* Effect.sleep(10)
    }).pipe(Effect.scoped)
  )

  it.live("is refused for a worker that is gone, or not known", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      yield* send("POST", "/v1/workers", worker("a"), waiting)
      yield* send("DELETE", "/v1/workers/a")
      for (const action of ["check", "retry"]) {
        const unknown = yield* send("POST", `/v1/workers/b/${action}`)
        assert.deepInclude(unknown.json, problem("unknown-worker", 404))
      }
      const gone = yield* send("POST", "/v1/workers/a/check")
      assert.deepInclude(gone.json, problem("worker-terminated", 409))
    }).pipe(Effect.scoped)
  )
})

describe("/v1/scheduler", () => {
  it.live("answers 501 where the scheduler cannot list", () =>
    Effect.gen(function* () {
      const { send } = yield* start({ scheduler: { capabilities: [] } })
      const { json } = yield* send("GET", "/v1/scheduler/workers")
      assert.deepInclude(json, problem("not-supported", 501))
      const scheduler = yield* send("GET", "/v1/scheduler")
      assert.deepInclude(scheduler.json, { capabilities: [], health: null, circuit: null, rate: null })
    }).pipe(Effect.scoped)
  )

  it.live("tells when the scheduler is not available", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      const busy = new SchedulerUnavailable({ message: "busy", retryAfter: Duration.seconds(7) })
      yield* scheduler.onEvery("list", [TestScheduler.fail(busy)])
      yield* scheduler.onEvery("health", [TestScheduler.fail(busy)])
      const list = yield* send("GET", "/v1/scheduler/workers")
      assert.deepInclude(list.json, { ...problem("scheduler-unavailable", 503), retryAfter: 7 })
      assert.strictEqual(list.headers.get("retry-after"), "7")
      const { json } = yield* send("GET", "/v1/scheduler")
      assert.deepStrictEqual(json.health, { status: "unavailable", message: "busy" })
    }).pipe(Effect.scoped)
  )

  it.live("tells that the scheduler is not available when its adapter dies", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* scheduler.onEvery("health", [TestScheduler.die(new Error("password=hunter2"))])
      const { json } = yield* send("GET", "/v1/scheduler")
      assert.deepStrictEqual(json.health, {
        status: "unavailable",
        message: "the scheduler's adapter died"
      })
    }).pipe(Effect.scoped)
  )

  it.live("names a time to come back at, though the scheduler says never", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      const never = new SchedulerUnavailable({ message: "gone", retryAfter: Duration.infinity })
      yield* scheduler.onEvery("list", [TestScheduler.fail(never)])
      const list = yield* send("GET", "/v1/scheduler/workers")
      assert.deepInclude(list.json, { ...problem("scheduler-unavailable", 503), retryAfter: 3600 })
    }).pipe(Effect.scoped)
  )

  it.live("keeps to itself what went wrong inside", () =>
    Effect.gen(function* () {
      const { scheduler, send } = yield* start()
      yield* scheduler.onEvery("list", [TestScheduler.die(new Error("password=hunter2"))])
      const { json } = yield* send("GET", "/v1/scheduler/workers")
      assert.deepInclude(json, problem("internal-error", 500))
      assert.notInclude(JSON.stringify(json), "hunter2")
    }).pipe(Effect.scoped)
  )
})
