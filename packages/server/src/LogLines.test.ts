import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Logger, Redacted } from "effect"
import { jsonLine, terminalLine } from "./LogLines.ts"

/** What is written for what is logged. */
const written = (logger: Logger.Logger<unknown, string>, log: Effect.Effect<void>) => {
  const lines: Array<string> = []
  const collect = Logger.map(logger, (line) => void lines.push(line))
  return Effect.as(Effect.provide(log, Logger.layer([collect])), lines)
}

const registered = Effect.logInfo("Worker registered").pipe(
  Effect.annotateLogs({
    workerId: "ci-1",
    workerType: "dynamic",
    namespace: "default",
    attempts: 2,
    durationMs: 1.5
  })
)

/** What a scheduler says that wants to be taken for Muster, or to rule the terminal. */
const forged =
  'no\r\n{"level":"ERROR"}\n12:00:00.000 ERROR gone\u001b]0;title\u0007\u0085\u009b2J\u2028x\u2029\u202e\u{e0001}'

const refused = Effect.logWarning(`Registration attempt failed: ${forged}`).pipe(
  Effect.annotateLogs({ reason: forged, [forged]: 1 })
)

describe("a line for programs", () => {
  it.effect("is one JSON object with the time, the level, the message and its annotations", () =>
    Effect.gen(function* () {
      const [line] = yield* written(jsonLine, registered)
      const { annotations, level, message, timestamp } = JSON.parse(line ?? "")
      assert.deepStrictEqual(
        { annotations, level, message },
        {
          annotations: {
            workerId: "ci-1",
            workerType: "dynamic",
            namespace: "default",
            attempts: 2,
            durationMs: 1.5
          },
          level: "INFO",
          message: "Worker registered"
        }
      )
      assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    })
  )

  it.effect("tells an error with its cause as text", () =>
    Effect.gen(function* () {
      const cause = Cause.die(new Error("outer", { cause: new Error("inner") }))
      const [line] = yield* written(jsonLine, Effect.logError("A mistake", cause))
      assert.match(JSON.parse(line ?? "").cause, /^Error: outer\n[^]*LogLines\.test\.ts[^]*Error: inner/)
    })
  )

  it.effect("stays one line of printable characters, whatever a scheduler says, and can be read back", () =>
    Effect.gen(function* () {
      const [line] = yield* written(jsonLine, refused)
      assert.notMatch(line ?? "", /[\p{Cc}\p{Cf}\u2028\u2029]/u)
      assert.strictEqual(JSON.parse(line ?? "").annotations.reason, forged)
    })
  )

  it.effect("does not show what is redacted", () =>
    Effect.gen(function* () {
      const [line] = yield* written(
        jsonLine,
        Effect.annotateLogs(Effect.logInfo(Redacted.make("geheim")), { token: Redacted.make("geheim") })
      )
      assert.notInclude(line, "geheim")
    })
  )
})

describe("a line for people", () => {
  it.effect("begins with the time of day and the level, and ends with the annotations", () =>
    Effect.gen(function* () {
      const [line] = yield* written(terminalLine(false), registered)
      assert.match(
        line ?? "",
        /^\d\d:\d\d:\d\d\.\d{3} INFO  Worker registered workerId=ci-1 workerType=dynamic namespace=default attempts=2 durationMs=1\.5$/
      )
    })
  )

  it.effect("is coloured only where that was asked for", () =>
    Effect.gen(function* () {
      assert.include((yield* written(terminalLine(true), registered))[0], "\u001b[32mINFO")
      assert.notInclude((yield* written(terminalLine(false), registered))[0], "\u001b")
    })
  )

  it.effect("is followed by the cause, indented, so that no line of it looks like another of the log", () =>
    Effect.gen(function* () {
      const [text] = yield* written(
        terminalLine(false),
        Effect.logError("A mistake", Cause.die(new Error(forged)))
      )
      const [first, ...rest] = (text ?? "").split("\n")
      assert.match(first ?? "", / ERROR A mistake$/)
      assert.isAbove(rest.length, 1)
      for (const line of rest) assert.match(line, /^ {4}[^\p{Cc}]*$/u)
    })
  )

  it.effect("stays one line of printable characters, whatever a scheduler says", () =>
    Effect.gen(function* () {
      const [line] = yield* written(terminalLine(false), refused)
      assert.notMatch(line ?? "", /[\p{Cc}\u2028\u2029]/u)
    })
  )

  it.effect("puts text in quotes that could be taken for another annotation", () =>
    Effect.gen(function* () {
      const log = Effect.annotateLogs(Effect.logInfo("x"), { a: "b c=d", e: "", f: { g: [1] } })
      assert.match((yield* written(terminalLine(false), log))[0] ?? "", / x a="b c=d" e="" f={"g":\[1\]}$/)
    })
  )
})
