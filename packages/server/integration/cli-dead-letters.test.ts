/**
 * `muster dead-letters` against a real service whose scheduler refuses workers.
 */
import { assert, describe, it } from "@effect/vitest"
import { hasScript, PseudoTerminal, withoutEscapes } from "./PseudoTerminal.ts"
import { Scheduler, until } from "./SchedulerProcess.ts"
import { runMuster } from "./RunMuster.ts"
import { Muster, Service, worker } from "./ServiceProcess.ts"

const run = async (service: Service, ...args: ReadonlyArray<string>) => {
  const { code: status, errors, output } = await runMuster(["dead-letters", ...args, "--server", service.url])
  return { status, output, errors }
}

const count = async (service: Service): Promise<number> =>
  (await service.fetch("/v1/dead-letters?limit=1")).json.total

/** A service with three dead letters, in two zones. */
const withDeadLetters = async (scheduler: Scheduler) => {
  const service = await Service.start({ args: ["--scheduler", scheduler.url] })
  for (const [id, zone] of [
    ["ci-a", "1"],
    ["ci-b", "2"],
    ["ci-c", "2"]
  ] as const) {
    await service.send("POST", "/v1/workers", worker(id, { labels: { zone } }), { prefer: "wait=10" })
  }
  await until(
    () => count(service),
    (failed) => failed === 3
  )
  return service
}

const refusing = () => Scheduler.start(["--amnesia", "--reject-rate", "1"])

describe("muster dead-letters", () => {
  it("lists them, with or without the subcommand, in a pipe and as JSON", async () => {
    await using scheduler = await refusing()
    await using service = await withDeadLetters(scheduler)
    const bare = await run(service)
    const listed = await run(service, "list")
    assert.strictEqual(bare.status, 0)
    assert.strictEqual(bare.output, listed.output)
    assert.match(bare.output, /^ci-a\tfailed\tdynamic\tdefault\t1\t.*not a worker for this scheduler/)
    const json = JSON.parse((await run(service, "list", "--label", "zone=2", "--json")).output)
    assert.deepStrictEqual(
      json.items.map(({ id }: { id: string }) => id),
      ["ci-b", "ci-c"]
    )
    const causes = JSON.parse((await run(service, "--by-cause", "--json")).output)
    assert.strictEqual(causes.total, 3)
    assert.deepInclude(causes.items[0], { count: 3, type: "invalid_worker", example: "ci-a" })
  })

  it("retries and drops those that are named, and tells which are none", async () => {
    await using scheduler = await refusing()
    await using service = await withDeadLetters(scheduler)
    const dropped = await run(service, "drop", "ci-a", "nobody")
    assert.strictEqual(dropped.status, 1)
    assert.strictEqual(
      dropped.output,
      "ci-a  dropped\nnobody  failed: The service knows no dead letter of this id.\n"
    )
    assert.strictEqual(dropped.errors, "1 of 2 dead letters was not dropped.\n")
    const retried = await run(service, "retry", "ci-b", "--json")
    assert.strictEqual(retried.status, 0)
    assert.deepStrictEqual(JSON.parse(retried.output), { items: [{ id: "ci-b", result: "retried" }] })
  })

  it("drops many without a terminal only where that is said to be meant", async () => {
    await using scheduler = await refusing()
    await using service = await withDeadLetters(scheduler)
    const unsure = await run(service, "drop", "--all")
    assert.strictEqual(unsure.status, 2)
    assert.include(unsure.errors, "This drops 3 dead letters, and there is no terminal to ask on: say --yes")
    assert.strictEqual(await count(service), 3)
    const some = await run(service, "drop", "--label", "zone=2", "--yes")
    assert.deepStrictEqual([some.status, some.output], [0, "2 dead letters dropped.\n"])
    const retried = await run(service, "retry", "--all", "--json")
    assert.deepStrictEqual([retried.status, retried.output], [0, '{"retried":1,"left":0}\n'])
    const none = await run(service, "drop", "--namespace", "empty")
    assert.deepStrictEqual([none.status, none.output], [0, "0 dead letters dropped.\n"])
  })

  it.each([
    [["retry"], "Say which dead letters to retry"],
    [["drop", "a", "--all"], "IDs, filters and --all exclude each other"],
    [["drop", "no id"], "cannot be the id of a worker"],
    [["--by-cause", "--limit", "1"], "--by-cause counts all that match"]
  ])("refuses %j as wrong usage", async (args, words) => {
    await using muster = new Muster(["dead-letters", ...args, "--server", "http://127.0.0.1:1"])
    assert.strictEqual(await muster.exit(), 2)
    assert.include(muster.errors, words)
  })

  it.skipIf(!hasScript)(
    `asks on a terminal before it drops many${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    async () => {
      await using scheduler = await refusing()
      await using service = await withDeadLetters(scheduler)
      const answer = async (key: string) => {
        await using terminal = new PseudoTerminal(["dead-letters", "drop", "--all", "--server", service.url])
        await terminal.until(({ output }) => output.includes("Drop 3 dead letters?"))
        terminal.type(key)
        const status = await terminal.exit()
        return { status, output: withoutEscapes(terminal.output) }
      }
      const declined = await answer("n")
      assert.strictEqual(declined.status, 1)
      assert.include(declined.output, "Nothing was changed.")
      assert.strictEqual((await answer("\u0003")).status, 130)
      assert.strictEqual(await count(service), 3)
      const meant = await answer("y")
      assert.strictEqual(meant.status, 0)
      assert.include(meant.output, "3 dead letters dropped.")
      assert.strictEqual(await count(service), 0)
    }
  )
})
