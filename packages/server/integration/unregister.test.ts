/**
 * `muster unregister`, against the embedded scheduler, a real service, and none.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Runtime } from "effect"
import { CliError, Command } from "effect/cli"
import { TestClock, TestConsole } from "effect/testing"
import { unregister } from "../src/commands/unregister.ts"
import { Service, worker } from "./ServiceProcess.ts"

/** Runs the command in this process: what it prints, and the exit code that its error asks for. */
const run = Effect.fnUntraced(
  function* (args: ReadonlyArray<string>) {
    const exit = yield* Effect.exit(Command.runWith(unregister, { version: "0" })(args))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    const code = error === undefined ? 0 : CliError.isCliError(error) ? 2 : Runtime.getErrorExitCode(error)
    return { code, output: (yield* TestConsole.logLines).map(String) }
  },
  Effect.provide(TestConsole.layer),
  Effect.provide(NodeServices.layer)
)

const runningService = Effect.acquireRelease(
  Effect.promise(() => Service.start()),
  (service) => Effect.promise(() => service[Symbol.asyncDispose]())
)

describe("muster unregister", () => {
  it.effect("unregisters every worker, those that are not there too", () =>
    Effect.gen(function* () {
      const { code, output } = yield* run(["a", "b"])
      assert.deepStrictEqual(output, ["a  unregistered", "b  unregistered"])
      assert.strictEqual(code, 0)
    })
  )

  it.live(
    "tells a service, which says which workers it does not know",
    () =>
      Effect.gen(function* () {
        const service = yield* runningService
        yield* Effect.promise(() => service.send("POST", "/v1/workers", worker("known")))
        const { code, output } = yield* run(["known", "unknown", "--server", service.url, "--json"])
        assert.deepStrictEqual(
          output.map((line) => JSON.parse(line)),
          [
            { id: "known", result: "accepted" },
            { id: "unknown", result: "failed", error: "The service knows no worker of this id." }
          ]
        )
        assert.strictEqual(code, 1)
      }),
    60_000
  )

  it.live("tells why a service cannot be reached", () =>
    Effect.gen(function* () {
      const { code, output } = yield* run(["a", "--server", "http://127.0.0.1:1"])
      assert.include(
        output[0],
        "a  failed: No Muster service answers at http://127.0.0.1:1: connect ECONNREFUSED"
      )
      assert.strictEqual(code, 1)
    })
  )

  it.effect("is wrong usage without an id, with what can be none, or with two ways at once", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run([])).code, 2)
      assert.strictEqual((yield* run(["not an id"])).code, 2)
      assert.strictEqual((yield* run(["a", "--server", "http://h", "--scheduler", "embedded"])).code, 2)
      assert.strictEqual((yield* run(["a", "--scheduler", "nope"])).code, 2)
    })
  )

  it.effect("gives up a service that does not answer", () =>
    Effect.gen(function* () {
      const silent = createServer().listen(0, "127.0.0.1")
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          silent.closeAllConnections()
          silent.close()
        })
      )
      yield* Effect.promise(() => once(silent, "listening"))
      const address = silent.address()
      const port = typeof address === "object" ? address?.port : undefined
      const asked = once(silent, "request")
      const fiber = yield* Effect.forkChild(run(["a", "--server", `http://127.0.0.1:${port}`]))
      yield* Effect.promise(() => asked)
      yield* TestClock.adjust("30 seconds")
      const { code, output } = yield* Fiber.join(fiber)
      assert.match(output.join(), /^a {2}failed: .* has not answered for 30s/)
      assert.strictEqual(code, 1)
    })
  )

  it("ends as it would when nobody reads what it prints", async () => {
    const bin = fileURLToPath(new URL("../src/bin.js", import.meta.url))
    const ids = Array.from({ length: 2000 }, (_, index) => `w${index}`)
    const child = spawn(process.execPath, [bin, "unregister", ...ids])
    let errors = ""
    child.stderr.on("data", (data: Buffer) => (errors += data.toString()))
    child.stdout.destroy()
    await once(child, "close")
    assert.strictEqual(errors, "")
    assert.strictEqual(child.exitCode, 0)
  }, 60_000)
})
