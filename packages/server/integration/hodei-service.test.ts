/**
 * A fleet from a file, and a running service, with Hodei's test server as their scheduler.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { HodeiServer } from "./hodei/HodeiServer.ts"
import { hasOpenb, openb, openbFlags, skippedForOpenb } from "./openbFleet.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "muster-hodei-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** A server with a token for each worker in a folder, and how many of them were used. */
const serverWithTokens = Effect.fnUntraced(function* () {
  const tokens = yield* folder
  const used = { count: 0 }
  const hodei = yield* HodeiServer.start({
    useToken: (token, workerId) => {
      const path = join(tokens, workerId)
      if (!existsSync(path) || readFileSync(path, "utf8") !== token) return false
      rmSync(path)
      used.count++
      return true
    }
  })
  const issue = (workerId: string) =>
    writeFileSync(join(tokens, workerId), `token-of-${workerId}-${used.count}`)
  const env = { MUSTER_HODEI_TOKEN_FILE: join(tokens, "{id}") }
  return { hodei, used, issue, env, spec: `hodei://127.0.0.1:${hodei.port}` }
})

describe("muster register --scheduler hodei://", () => {
  it.live.skipIf(!hasOpenb)(
    `a production cluster of 1,523 nodes, each with its token${skippedForOpenb}`,
    () =>
      Effect.gen(function* () {
        const { env, hodei, issue, spec, used } = yield* serverWithTokens()
        const rows = readFileSync(openb, "utf8").trim().split("\n").slice(1)
        for (const row of rows) issue(row.slice(0, row.indexOf(",")))
        const muster = new Muster(["register", openb, "--scheduler", spec, "--json", ...openbFlags], { env })
        assert.strictEqual(yield* Effect.promise(() => muster.exit()), 0, muster.errors)
        assert.deepInclude(JSON.parse(muster.output), {
          entries: 1523,
          registered: 1523,
          failed: 0,
          retries: 0
        })
        assert.strictEqual(hodei.workers.size, 1523)
        assert.strictEqual(used.count, 1523)
        const memory = Array.from(hodei.workers.values(), ({ info }) =>
          BigInt(info.capacity?.memoryBytesTotal ?? 0)
        )
        const expected = rows.map((row) => BigInt(row.split(",")[2] ?? 0) * 2n ** 20n)
        assert.strictEqual(sumOf(memory), sumOf(expected))
        const gpus = Array.from(hodei.workers.values(), ({ info }) =>
          BigInt(info.capacity?.gpuCountTotal ?? 0)
        )
        assert.strictEqual(sumOf(gpus), sumOf(rows.map((row) => BigInt(row.split(",")[3] ?? 0))))
        assert.notInclude(muster.output + muster.errors, "token-of")
      }).pipe(Effect.scoped),
    60_000
  )
})

const sumOf = (numbers: ReadonlyArray<bigint>) => numbers.reduce((sum, number) => sum + number, 0n)

describe("muster serve --scheduler hodei://", () => {
  const running = (spec: string, env: Readonly<Record<string, string>>) =>
    Effect.acquireRelease(
      Effect.promise(() => Service.start({ args: ["--scheduler", spec], env })),
      (service) => Effect.promise(() => service[Symbol.asyncDispose]())
    )

  const ids = Array.from({ length: 300 }, (_, index) => `ci-${index}`)

  it.live(
    "registers again what the server has forgotten, lists ids, and shows no token",
    () =>
      Effect.gen(function* () {
        const { env, hodei, issue, spec, used } = yield* serverWithTokens()
        ids.forEach(issue)
        const service = yield* running(spec, { ...env, MUSTER_DRIFT_INTERVAL: "500 millis" })
        const batch = ids.map((id) => worker(id))
        yield* Effect.promise(() => service.send("POST", "/v1/workers/batch", batch))
        yield* until(() => hodei.workers.size === 300)

        ids.forEach(issue)
        hodei.forget()
        yield* until(() => hodei.workers.size === 300)
        assert.strictEqual(used.count, 600)

        const { json } = yield* answered(
          () => service.fetch("/v1/scheduler"),
          ({ json: { drift } }) => drift?.held === 300 && drift.lost === 0
        )
        assert.deepInclude(json.drift, { held: 300, lost: 0, ghosts: 0, unknown: 0, error: null })
        assert.deepStrictEqual(json.capabilities, ["list", "health"])
        // In the order in which they came back, each as soon as it had a token.
        const page = yield* Effect.promise(() => service.fetch("/v1/scheduler/workers?limit=300"))
        assert.strictEqual(page.json.total, 300)
        assert.sameDeepMembers(
          page.json.items,
          Array.from({ length: 300 }, (_, index) => ({ worker: { id: `ci-${index}` }, generation: null }))
        )

        yield* Effect.promise(() => service.send("DELETE", "/v1/workers/ci-0", ""))
        yield* until(() => hodei.workers.size === 299)
        service.signal("SIGTERM")
        yield* Effect.promise(() => service.exit())
        assert.notInclude(service.output + service.errors, "token-of")
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "keeps a worker that hwp cannot unregister as a dead letter, which says what to do",
    () =>
      Effect.gen(function* () {
        const hodei = yield* HodeiServer.start()
        const service = yield* running(`hodei+hwp://127.0.0.1:${hodei.port}`, {})
        yield* Effect.promise(() => service.send("POST", "/v1/workers", worker("a")))
        yield* until(() => hodei.registrations.has("a"))
        yield* Effect.promise(() => service.send("DELETE", "/v1/workers/a", ""))
        const { json } = yield* answered(
          () => service.fetch("/v1/workers/a"),
          ({ json }) => json.phase === "failed"
        )
        assert.include(json.lastError.message, "MUSTER_HODEI_HWP_UNREGISTER=leave")
        const list = yield* Effect.promise(() => service.fetch("/v1/scheduler/workers"))
        assert.strictEqual(list.status, 501)
      }).pipe(Effect.scoped),
    60_000
  )
})

/** Looks every few milliseconds until it is so; the test's own time-out ends what never is. */
const answered = <A>(look: () => Promise<A>, isSo: (value: A) => boolean): Effect.Effect<A> =>
  Effect.repeat(Effect.promise(look), { until: isSo, schedule: Schedule.spaced("20 millis") }).pipe(
    Effect.andThen(Effect.promise(look))
  )

const until = (isSo: () => boolean) => answered(async () => isSo(), Boolean)
