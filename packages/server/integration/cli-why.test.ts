/**
 * `muster why` and `muster scheduler status` of a real service with a scheduler that is away, or refuses. What the
 * documentation shows of them is what they print.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { hasScript, PseudoTerminal } from "./PseudoTerminal.ts"
import { Scheduler, until } from "./SchedulerProcess.ts"
import { runMuster } from "./RunMuster.ts"
import { Service, worker } from "./ServiceProcess.ts"

const page = readFileSync(join(import.meta.dirname, "../../../docs/command-line.md"), "utf8")

/** The transcript of the documentation that begins with this command. */
const transcript = (command: string): string => {
  const start = page.indexOf(`$ ${command}\n`)
  assert.notStrictEqual(start, -1, `docs/command-line.md has no transcript of ${command}`)
  return page.slice(start + command.length + 3, page.indexOf("```", start))
}

const spans = String.raw`(?:less than a second|\d+ (?:second|minute)s?(?: \d+ seconds?)?)`

/** What differs from one run to the next: times, addresses, and where lines break because of them. */
const timeless = (text: string): string =>
  text
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "TIME")
    .replace(new RegExp(`just now|within a second|in ${spans}|${spans} ago`, "g"), "THEN")
    .replace(/\b(?:\d+m )?(?:\d+s )?\d+m?s\b/g, "SPAN")
    .replace(/127\.0\.0\.1:\d+/g, "ADDRESS")
    .replace(/ --server http:\S+/g, "")
    .replace(/\s+/g, " ")
    .trim()

const run = async (service: Service, ...args: ReadonlyArray<string>) => {
  const { code: status, errors, output } = await runMuster([...args, "--server", service.url])
  return { status, output, errors }
}

// So that a worker that could not be registered stays where it is while it is looked at.
const patient = {
  MUSTER_RETRY_DELAY: "20 minutes",
  MUSTER_MAX_RETRY_DELAY: "20 minutes",
  MUSTER_CIRCUIT_FAILURE_RATE: "off"
}

const phaseOf = async (service: Service, id: string) => {
  const { json } = await service.fetch(`/v1/workers/${id}`)
  return `${json.phase}${json.nextAttemptAt === null ? "" : ", waits"}`
}

const reaches = (service: Service, id: string, phase: string) =>
  until(
    () => phaseOf(service, id),
    (now) => now === phase
  )

const send = (service: Service, id: string) => service.send("POST", "/v1/workers", worker(id))

describe("muster why", () => {
  it("tells of a worker that is well, of one that is retried, and of a ghost, as the documentation shows", async () => {
    await using scheduler = await Scheduler.start(["--amnesia"])
    await using service = await Service.start({ args: ["--scheduler", scheduler.url], env: patient })
    await send(service, "ci-7f3a")
    await send(service, "ci-7f3c")
    await reaches(service, "ci-7f3a", "registered")
    await reaches(service, "ci-7f3c", "registered")
    const well = await run(service, "why", "ci-7f3a")
    assert.strictEqual(well.status, 0)
    assert.strictEqual(timeless(well.output), timeless(transcript("muster why ci-7f3a")))

    await scheduler.kill()
    // The first connection after it was killed may still be reset instead.
    await until(
      async () => (await service.fetch("/v1/scheduler")).text,
      (answer) => answer.includes("ECONNREFUSED")
    )
    await send(service, "ci-7f3b")
    await service.send("DELETE", "/v1/workers/ci-7f3c", undefined)
    await reaches(service, "ci-7f3b", "pending, waits")
    await reaches(service, "ci-7f3c", "unregistering, waits")
    const [retried, ghost] = await Promise.all([
      run(service, "why", "ci-7f3b"),
      run(service, "why", "ci-7f3c")
    ])
    assert.strictEqual(timeless(retried.output), timeless(transcript("muster why ci-7f3b")))
    assert.strictEqual(timeless(ghost.output), timeless(transcript("muster why ci-7f3c")))
  })

  it("tells of a dead letter, as the documentation shows, and gives the facts as JSON", async () => {
    await using scheduler = await Scheduler.start(["--amnesia", "--reject-rate", "1"])
    await using service = await Service.start({ args: ["--scheduler", scheduler.url] })
    await send(service, "ci-7f3d")
    await reaches(service, "ci-7f3d", "failed")
    const [{ output }, facts, causes] = await Promise.all([
      run(service, "why", "ci-7f3d"),
      run(service, "why", "ci-7f3d", "--json"),
      run(service, "dead-letters", "--by-cause")
    ])
    assert.strictEqual(timeless(output), timeless(transcript("muster why ci-7f3d")))
    const json = JSON.parse(facts.output)
    assert.deepInclude(json, { id: "ci-7f3d", phase: "failed", next: ["Nothing, until somebody decides."] })
    assert.deepStrictEqual(json.timeline, (await service.fetch("/v1/workers/ci-7f3d/timeline")).json)
    assert.deepStrictEqual(json.worker, (await service.fetch("/v1/workers/ci-7f3d")).json)
    assert.strictEqual(json.scheduler.adapter, scheduler.url)

    assert.match(
      causes.output,
      /^1 dead letter {2}invalid_worker {2}the latest .*, such as ci-7f3d\n {2}The scheduler rejected/
    )
  })

  it("says of a worker that the service does not know what that can mean", async () => {
    await using service = await Service.start()
    const { errors, output, status } = await run(service, "why", "nobody")
    assert.strictEqual(status, 1)
    assert.strictEqual(output, "")
    assert.match(errors, /knows no worker nobody\. It was never sent there, or it was terminated so long ago/)
    assert.strictEqual((await run(service, "why", "no body")).status, 2)
  })

  it.skipIf(!hasScript)(
    `fits the terminal, and lets nothing of others onto it raw${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    async () => {
      await using service = await Service.start()
      await service.send(
        "POST",
        "/v1/events",
        {
          specversion: "1.0",
          id: "1",
          source: "/hostile",
          type: "dev.muster.worker.terminated",
          data: { workerId: "ci-1", reason: "\u001b[2J\u001b]0;owned\u0007 \u202e 終了しました ".repeat(20) }
        },
        { "content-type": "application/cloudevents+json" }
      )
      await using terminal = new PseudoTerminal(["why", "ci-1", "--server", service.url], {
        columns: 60,
        env: { NO_COLOR: "1" }
      })
      assert.strictEqual(await terminal.exit(), 0)
      assert.match(terminal.output, /\?\[2J\?\]0;owned\?/)
      // oxlint-disable-next-line no-control-regex -- these are what must not be there
      assert.notMatch(terminal.output, /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e]/)
      const widest = terminal.output.split("\r\n").filter((line) => !line.startsWith("    muster"))
      for (const line of widest) assert.isAtMost(line.replace(/[\u3000-\u9fff]/g, "xx").length, 60, line)
    }
  )
})

describe("muster scheduler", () => {
  it("status prints what the API answers as JSON, and the command without it is still the scheduler", async () => {
    await using scheduler = await Scheduler.start(["--amnesia"])
    await using service = await Service.start({ args: ["--scheduler", scheduler.url] })
    const [{ output }, forPeople] = await Promise.all([
      run(service, "scheduler", "status", "--json"),
      run(service, "scheduler", "status")
    ])
    const shown = JSON.parse(output)
    const { json } = await service.fetch("/v1/scheduler")
    assert.deepStrictEqual(Object.keys(shown), Object.keys(json))
    assert.deepStrictEqual(shown.configuration, json.configuration)
    assert.match(forPeople.output, /^The scheduler \(grpc:\S+\) is healthy\.\n\n {2}circuit {3}closed/)
  })
})
