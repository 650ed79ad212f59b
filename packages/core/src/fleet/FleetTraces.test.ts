import { assert, describe, it } from "@effect/vitest"
import { TestFleet, TestScheduler } from "@muster/testing"
import { Duration, Effect, Option, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import type { SchedulerPort } from "../SchedulerPort.ts"

const unavailable = TestScheduler.fail(new SchedulerUnavailable({ message: "connection refused" }))

const quiet = { driftInterval: Duration.infinity, checkAfter: Duration.infinity }

/** Lets everything run that does not wait for time to pass. */
const settle = TestClock.adjust(Duration.zero)

const caller = (digit: string, sampled = true) =>
  Tracer.externalSpan({ traceId: digit.repeat(32), spanId: digit.repeat(16), sampled })

const traceparent = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`

/** Runs a test with a tracer that somebody reads. */
const traced = <A, E, R>(test: (spans: ReadonlyArray<Tracer.NativeSpan>) => Effect.Effect<A, E, R>) => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return Effect.provideService(test(spans), Tracer.Tracer, tracer)
}

const linked = (span: Tracer.NativeSpan | undefined) => span?.links.map(({ span }) => span.spanId)

/** The spans in which the scheduler is called. */
const seenBy = (seen: Array<string | undefined>) => (port: SchedulerPort["Service"]) => ({
  ...port,
  register: (...args: Parameters<typeof port.register>) =>
    Effect.flatMap(Effect.option(Effect.currentParentSpan), (span) => {
      seen.push(Option.getOrUndefined(span)?.spanId)
      return port.register(...args)
    })
})

describe("a change that was asked for in a trace", () => {
  it.effect("is linked to by the call that is made later, also by another process", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const test = yield* TestFleet.make({ fleet: quiet })
        yield* test.scheduler.onRegister("a", [unavailable])
        yield* Effect.withParentSpan(test.want("a"), caller("a"))
        yield* settle
        assert.strictEqual((yield* test.record("a")).trace, traceparent("a"))
        yield* test.crash
        yield* test.start
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* test.held, ["a"])
        const later = spans.filter(({ name }) => name.startsWith("WorkerRegistration")).slice(-2)
        assert.deepStrictEqual(
          later.map(({ name }) => name),
          ["WorkerRegistration.register", "WorkerRegistration.register.attempt"]
        )
        for (const span of later) {
          assert.deepStrictEqual(linked(span), ["a".repeat(16)])
          assert.notStrictEqual(span.traceId, "a".repeat(32))
        }
      })
    )
  )

  it.effect("is forgotten when it is done", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* Effect.withParentSpan(test.want("a"), caller("a"))
      yield* settle
      assert.include(yield* test.record("a"), { phase: "registered", trace: undefined })
    })
  )

  it.effect("and that a running call takes along is linked to by the attempt that carries it", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const test = yield* TestFleet.make({
          fleet: quiet,
          registration: { maxRetries: 1, baseBackoff: "10 seconds", maxBackoff: "10 seconds", jitter: "none" }
        })
        yield* test.scheduler.onRegister("a", [unavailable])
        yield* Effect.withParentSpan(test.want("a"), caller("a"))
        yield* settle
        yield* Effect.withParentSpan(test.want("a", { cpuCores: 2 }), caller("b"))
        yield* TestClock.adjust("10 seconds")
        const attempts = spans.filter(({ name }) => name.endsWith(".attempt"))
        assert.deepStrictEqual(attempts.map(linked), [["a".repeat(16)], ["a".repeat(16), "b".repeat(16)]])
      })
    )
  )

  it.effect("keeps its trace when a change without one comes after it", () =>
    Effect.gen(function* () {
      const test = yield* TestFleet.make({ fleet: quiet })
      yield* test.scheduler.onRegister("a", [unavailable])
      yield* Effect.withParentSpan(test.want("a"), caller("a"))
      yield* settle
      yield* test.want("a", { cpuCores: 2 })
      assert.strictEqual((yield* test.record("a")).trace, traceparent("a"))
    })
  )
})

describe("where nobody traces", () => {
  it.effect("the scheduler is told the trace of whoever asked, without the spans between", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const test = yield* TestFleet.make({ fleet: quiet, around: seenBy(seen) })
      yield* test.want("a").pipe(Effect.withSpan("between"), Effect.withParentSpan(caller("a")))
      yield* test.want("b")
      yield* Effect.withSpan(test.want("c"), "a span that nobody exports")
      yield* settle
      assert.deepStrictEqual(seen, ["a".repeat(16), undefined, undefined])
    })
  )
})
