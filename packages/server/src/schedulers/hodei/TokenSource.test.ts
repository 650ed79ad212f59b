import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import { Effect, FileSystem, Redacted, Schedule } from "effect"
import { inspect } from "node:util"
import { readToken, type TokenSource } from "./TokenSource.ts"

const id = WorkerId.make("ci-7f3a")
const read = (source: TokenSource) => Effect.map(readToken(source, id), Redacted.value)
const fails = (source: TokenSource) => Effect.flip(readToken(source, id))

const inFolder = <A, E>(
  body: (folder: string, files: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>
) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = yield* Effect.orDie(files.makeTempDirectoryScoped({ prefix: "muster-token-" }))
    return yield* body(folder, files)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const node = (script: string, ...args: ReadonlyArray<string>) => ({
  command: [process.execPath, "-e", script, "--", ...args] as const
})
const printArguments = "console.log(process.argv.slice(1).join('|'))"

describe("a token from a file", () => {
  it.live("is read anew each time, without the space around it", () =>
    inFolder((folder, files) =>
      Effect.gen(function* () {
        const file = `${folder}/token`
        yield* Effect.orDie(files.writeFileString(file, "  one\n"))
        assert.strictEqual(yield* read({ file }), "one")
        yield* Effect.orDie(files.writeFileString(file, "two\r\n"))
        assert.strictEqual(yield* read({ file }), "two")
      })
    )
  )

  it.live("can be of one worker", () =>
    inFolder((folder, files) =>
      Effect.gen(function* () {
        yield* Effect.orDie(files.writeFileString(`${folder}/ci-7f3a.token`, "its-own"))
        assert.strictEqual(yield* read({ file: `${folder}/{id}.token` }), "its-own")
      })
    )
  )

  it.live("may come later: a file that is missing, empty or something else is tried again", () =>
    inFolder((folder, files) =>
      Effect.gen(function* () {
        const file = `${folder}/token`
        const missing = yield* fails({ file })
        assert.deepInclude(missing, { _tag: "SchedulerFault", retryable: true })
        assert.include(missing.message, file)
        for (const content of [" \n", "secret word", "secret\0", "s".repeat(10_000), "s".repeat(2_000_000)]) {
          yield* Effect.orDie(files.writeFileString(file, content))
          const error = yield* fails({ file })
          assert.deepInclude(error, { _tag: "SchedulerFault", retryable: true })
          assert.isBelow(error.message.length, 200)
          assert.notInclude(error.message, "secret")
        }
      })
    )
  )
})

describe("a token from a program", () => {
  const through = Effect.provide(NodeServices.layer)

  it.live("is what it prints, with the worker's id among its arguments", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* read(node(printArguments, "--worker={id}", "{id}")),
        "--worker=ci-7f3a|ci-7f3a"
      )
    }).pipe(through)
  )

  it.live("goes through no shell", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* read(node(printArguments, "$HOME;`id`&&*")), "$HOME;`id`&&*")
    }).pipe(through)
  )

  it.live("fails with the program, and shows nothing of what it printed", () =>
    Effect.gen(function* () {
      const failed = yield* fails(node("console.log('secret'); console.error('secret'); process.exit(3)"))
      assert.deepInclude(failed, { _tag: "SchedulerFault", retryable: true })
      assert.match(failed.message, /ended with 3$/)
      assert.notInclude(inspect(failed), "secret")
      const missing = yield* fails({ command: ["/no/such/program"] })
      assert.match(missing.message, /\/no\/such\/program cannot be run: NotFound/)
    }).pipe(through)
  )

  it.live("is killed when nobody waits for it any more", () =>
    inFolder((folder, files) =>
      Effect.gen(function* () {
        const started = `${folder}/started`
        const script = `require("fs").writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1000)`
        const outcome = yield* Effect.race(
          Effect.as(read(node(script, started)), "token"),
          files.readFileString(started).pipe(
            Effect.filterOrFail((pid) => pid !== ""),
            Effect.retry(Schedule.spaced("10 millis")),
            Effect.orDie
          )
        )
        assert.throws(() => process.kill(Number(outcome), 0), /ESRCH/)
      })
    )
  )
})

describe("a token", () => {
  it.live("does not stand in what is printed", () =>
    Effect.gen(function* () {
      const token = yield* readToken(node("console.log('secret')"), id)
      assert.notInclude(inspect(token), "secret")
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
