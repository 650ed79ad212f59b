import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Effect, Exit, Fiber, Layer, Logger, Metric, Option, References, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { RegistrationConfig, type RegistrationOptions } from "./RegistrationConfig.ts"
import { SchedulerRejected, SchedulerUnavailable } from "./SchedulerError.ts"
import { Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "./Worker.ts"
import { WorkerReady } from "./WorkerEvent.ts"
import { WorkerLookup, WorkerRegistration } from "./WorkerRegistration.ts"

const { always, die, fail, hang } = TestScheduler

const ci1 = new Worker({
  id: WorkerId.make("ci-1"),
  capabilities: new WorkerCapabilities({ cpuCores: 8, memoryMb: 16384 }),
  metadata: new WorkerMetadata({ workerType: "static", namespace: "builds" })
})
const refused = new SchedulerUnavailable({ message: "connection refused" })

/** An application that keeps its workers' data. */
const knowsCi1 = Layer.succeed(WorkerLookup, (id) =>
  Effect.succeed(id === ci1.id ? Option.some(ci1) : Option.none())
)

const configured = (options: RegistrationOptions) =>
  WorkerRegistration.layer.pipe(
    Layer.provide(RegistrationConfig.layer(options)),
    Layer.provideMerge(TestScheduler.layer)
  )

type Script = Parameters<TestScheduler["Service"]["onRegister"]>[1]

/** Registers ci-1 against a script, for at most an hour. */
const register = Effect.fnUntraced(function* (script: Script) {
  const scheduler = yield* TestScheduler
  const registration = yield* WorkerRegistration
  yield* scheduler.onRegister("ci-1", script)
  const fiber = yield* Effect.forkChild(registration.register(ci1))
  yield* TestClock.adjust("1 hour")
  return yield* Effect.exit(Fiber.join(fiber))
})

interface Line {
  readonly level: string
  readonly annotations: Record<string, unknown>
}

/** The log lines of an effect, with all of their annotations. */
const logOf = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const lines: Array<Line> = []
  const collect = Logger.make(({ fiber, logLevel }) => {
    lines.push({ level: logLevel, annotations: { ...fiber.getRef(References.CurrentLogAnnotations) } })
  })
  yield* effect.pipe(
    Effect.provide(Logger.layer([collect])),
    Effect.provideService(References.MinimumLogLevel, "Debug")
  )
  return lines
})

/** Every series that an effect leaves in the metrics, counters and gauges as numbers. */
const metricsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* effect
    const series = new Map<string, unknown>()
    for (const { attributes = {}, id, state } of yield* Metric.snapshot) {
      const labels = Object.entries(attributes)
        .toSorted(([left], [right]) => left.localeCompare(right))
        .map(([name, value]) => `${name}=${value}`)
        .join(",")
      const value =
        "buckets" in state ? state : "count" in state ? state.count : "value" in state ? state.value : state
      series.set(labels === "" ? id : `${id}{${labels}}`, value)
    }
    return series
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

const worker = { workerId: "ci-1", workerType: "static", namespace: "builds" }

describe("case 13: logs", () => {
  it.effect("success at info; the attempt at debug", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* logOf(register([])), [
        { level: "Debug", annotations: { ...worker, attempt: 1 } },
        { level: "Info", annotations: { ...worker, attempts: 1, durationMs: 0 } }
      ])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("each retry at warning with its backoff, exhaustion at error", () =>
    Effect.gen(function* () {
      const lines = (yield* logOf(register([fail(refused), hang]))).filter(({ level }) => level !== "Debug")
      assert.deepStrictEqual(lines, [
        {
          level: "Warn",
          annotations: { ...worker, attempt: 1, errorType: "scheduler_unavailable", backoffMs: 100 }
        },
        {
          level: "Error",
          annotations: { ...worker, attempts: 2, errorType: "max_retries", durationMs: 30_100 }
        }
      ])
    }).pipe(Effect.provide(configured({ maxRetries: 1 })))
  )

  it.effect("the scheduler being unavailable at warning", () =>
    Effect.gen(function* () {
      const lines = (yield* logOf(register([fail(refused)]))).filter(({ level }) => level !== "Debug")
      assert.deepStrictEqual(lines, [
        {
          level: "Warn",
          annotations: { ...worker, attempts: 1, errorType: "scheduler_unavailable", durationMs: 0 }
        }
      ])
    }).pipe(Effect.provide(configured({ maxRetries: 0 })))
  )

  it.effect.each([
    ["a rejection", fail(new SchedulerRejected({ message: "no" })), "invalid_worker"],
    ["a defect", die("boom"), "unexpected"]
  ] as const)("%s at error", ([, answer, errorType]) =>
    Effect.gen(function* () {
      const lines = (yield* logOf(register([answer]))).filter(({ level }) => level !== "Debug")
      assert.deepStrictEqual(lines, [
        { level: "Error", annotations: { ...worker, attempts: 1, errorType, durationMs: 0 } }
      ])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("a superseded call, which is no failure, at info", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.hold(ci1, Number.MAX_SAFE_INTEGER)
      const lines = (yield* logOf(register([]))).filter(({ level }) => level !== "Debug")
      assert.deepStrictEqual(lines, [
        { level: "Info", annotations: { ...worker, attempts: 1, errorType: "superseded", durationMs: 0 } }
      ])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("an unregistration knows the worker's id only", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const lines = yield* logOf(registration.unregister(ci1.id))
      assert.deepStrictEqual(lines.at(-1), {
        level: "Info",
        annotations: { workerId: "ci-1", workerType: "unknown", attempts: 1, durationMs: 0 }
      })
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("an unregistration knows what WorkerLookup knows", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const lines = yield* logOf(registration.unregister(ci1.id))
      assert.deepStrictEqual(lines.at(-1), {
        level: "Info",
        annotations: { ...worker, attempts: 1, durationMs: 0 }
      })
    }).pipe(Effect.provide(configured({}).pipe(Layer.provide(knowsCi1))))
  )
})

const operations = (result: string, type = "static") =>
  `worker_registration_operations_total{result=${result},worker_type=${type}}`
const attempts = (result: string, type = "static") =>
  `worker_registration_attempts_total{result=${result},worker_type=${type}}`
const failures = (error: string, type = "static") =>
  `worker_registration_failures_total{error_type=${error},worker_type=${type}}`
const duration = "worker_registration_duration_seconds{worker_type=static}"
const retryCount = "worker_registration_retry_count{worker_type=static}"

describe("case 13: metrics", () => {
  it.effect(
    "one call is one operation, one duration and one retry count, under the exact names and edges",
    () =>
      Effect.gen(function* () {
        const metrics = yield* metricsOf(register([fail(refused), fail(refused)]))
        assert.sameMembers(Array.from(metrics.keys()), [
          operations("success"),
          attempts("success"),
          attempts("failure"),
          duration,
          retryCount,
          "worker_registration_in_flight"
        ])
        assert.strictEqual(metrics.get(operations("success")), 1)
        assert.strictEqual(metrics.get(attempts("failure")), 2)
        assert.strictEqual(metrics.get(attempts("success")), 1)
        assert.strictEqual(metrics.get("worker_registration_in_flight"), 0)
        assert.deepStrictEqual(metrics.get(duration), {
          buckets: [
            [0.1, 0],
            [0.5, 1],
            [1, 1],
            [2.5, 1],
            [5, 1],
            [10, 1]
          ],
          count: 1,
          min: 0.3,
          max: 0.3,
          sum: 0.3
        })
        assert.deepStrictEqual(metrics.get(retryCount), {
          buckets: [
            [0, 0],
            [1, 0],
            [2, 1],
            [3, 1],
            [5, 1]
          ],
          count: 1,
          min: 2,
          max: 2,
          sum: 2
        })
      }).pipe(Effect.provide(configured({})))
  )

  it.effect.each([
    ["scheduler_unavailable", [always(fail(refused))], { maxRetries: 0 }],
    ["timeout", [always(hang)], { deadline: "1 second" }],
    ["invalid_worker", [fail(new SchedulerRejected({ message: "no" }))], {}],
    ["max_retries", [always(fail(refused))], {}],
    ["unexpected", [die("boom")], {}]
  ] as ReadonlyArray<[string, Script, RegistrationOptions]>)(
    "a failure counts as %s",
    ([error, script, options]) =>
      Effect.gen(function* () {
        const metrics = yield* metricsOf(register(script))
        assert.strictEqual(metrics.get(operations("failure")), 1)
        assert.strictEqual(metrics.get(failures(error)), 1)
        const counted = Array.from(metrics.keys()).filter((name) => name.includes("failures_total"))
        assert.deepStrictEqual(counted, [failures(error)])
        assert.deepInclude(metrics.get(duration), { count: 1 })
        assert.deepInclude(metrics.get(retryCount), { count: 1 })
      }).pipe(Effect.provide(configured(options)))
  )

  it.effect("a superseded registration is counted apart from the failures", () =>
    Effect.gen(function* () {
      const scheduler = yield* TestScheduler
      yield* scheduler.hold(ci1, Number.MAX_SAFE_INTEGER)
      const metrics = yield* metricsOf(register([]))
      assert.strictEqual(metrics.get("worker_registration_superseded_total{worker_type=static}"), 1)
      assert.isFalse(Array.from(metrics.keys()).some((name) => name.includes("failures_total")))
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("an interrupted call has no outcome: it only leaves in_flight", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onRegister("ci-1", [hang])
      const metrics = yield* metricsOf(
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(registration.register(ci1))
          yield* Effect.yieldNow
          const during = yield* Metric.snapshot
          assert.deepStrictEqual(
            during.map(({ id, state }) => [id, state]),
            [["worker_registration_in_flight", { value: 1 }]]
          )
          yield* Fiber.interrupt(fiber)
        })
      )
      assert.deepStrictEqual(Array.from(metrics), [["worker_registration_in_flight", 0]])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("unregistrations are counted by themselves, under unknown", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const metrics = yield* metricsOf(registration.unregister(ci1.id))
      assert.deepStrictEqual(Array.from(metrics), [
        ["worker_unregistration_operations_total{result=success,worker_type=unknown}", 1]
      ])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("unregistrations are counted under the worker's type where WorkerLookup knows it", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.onUnregister("ci-1", [fail(new SchedulerRejected({ message: "no" }))])
      const metrics = yield* metricsOf(
        Effect.flip(registration.unregister(ci1.id)).pipe(
          Effect.map(({ workerType }) => assert.strictEqual(workerType, "static"))
        )
      )
      assert.deepStrictEqual(Array.from(metrics), [
        ["worker_unregistration_operations_total{result=failure,worker_type=static}", 1]
      ])
    }).pipe(Effect.provide(configured({}).pipe(Layer.provide(knowsCi1))))
  )

  it.effect("asking whether a worker is there counts as nothing", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const scheduler = yield* TestScheduler
      yield* scheduler.hold(ci1, 1)
      const metrics = yield* metricsOf(registration.notify(new WorkerReady({ workerId: ci1.id })))
      assert.deepStrictEqual(Array.from(metrics.keys()), [])
    }).pipe(Effect.provide(configured({})))
  )

  it.effect("worker_type never takes a value outside its three, whatever is sent", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const metrics = yield* metricsOf(
        Effect.forEach(
          ["static", "dynamic", "unknown", "mainframe", "", "__proto__", 7, null, {}],
          (workerType) =>
            Worker.decode({
              id: "ci-1",
              capabilities: { cpuCores: 1, memoryMb: 1 },
              metadata: { workerType }
            }).pipe(Effect.flatMap(registration.register), Effect.exit)
        )
      )
      const types = Array.from(metrics.keys()).flatMap((name) => /worker_type=([^,}]*)/.exec(name)?.[1] ?? [])
      assert.sameMembers(Array.from(new Set(types)), ["static", "dynamic", "unknown"])
      assert.strictEqual(metrics.get(failures("invalid_worker", "unknown")), 7)
    }).pipe(Effect.provide(configured({})))
  )
})

describe("traces", () => {
  it.effect("a registration is a span, each attempt a child of it, a failed one with its error type", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const exit = yield* register([fail(refused)]).pipe(Effect.provideService(Tracer.Tracer, tracer))
      assert.isTrue(Exit.isSuccess(exit))
      const [call, first, second] = spans.filter(({ name }) => name.startsWith("WorkerRegistration"))
      assert(call !== undefined && first !== undefined && second !== undefined)
      assert.strictEqual(call.name, "WorkerRegistration.register")
      assert.strictEqual(call.attributes.get("muster.worker.id"), "ci-1")
      for (const attempt of [first, second]) {
        assert.strictEqual(attempt.name, "WorkerRegistration.register.attempt")
        assert.strictEqual(attempt.kind, "client")
        assert.strictEqual(Option.getOrThrow(attempt.parent).spanId, call.spanId)
      }
      assert.strictEqual(first.attributes.get("error.type"), "scheduler_unavailable")
      assert.isFalse(second.attributes.has("error.type"))
      assert.strictEqual(second.attributes.get("muster.attempt"), 2)
    }).pipe(Effect.provide(configured({})))
  )
})
