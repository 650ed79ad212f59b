/**
 * The adapter for Slurm at its edges: controllers that are away, nodes of others, nodes with jobs, and members of a
 * batch that are to blame.
 */
import { assert, describe, it } from "@effect/vitest"
import { SchedulerPort, Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "@muster/core"
import { Clock, Context, Effect, Exit, Fiber, Layer, Option, Result, Schedule, Stream } from "effect"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import * as Slurm from "../src/schedulers/Slurm.ts"
import { addressLabel } from "../src/schedulers/slurm/NodeSpec.ts"
import { skippedForSlurm, type SlurmCluster, slurmCluster, whyNoSlurm } from "./SlurmCluster.ts"

const directory = mkdtempSync(join(tmpdir(), "muster-scontrol-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface WorkerFields {
  readonly cpuCores?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly tags?: ReadonlyArray<string>
}

const worker = (id: string, { cpuCores = 2, labels = {}, tags = [] }: WorkerFields = {}) =>
  Worker.make({
    id: WorkerId.make(id),
    capabilities: WorkerCapabilities.make({ cpuCores, memoryMb: 1000 }),
    metadata: WorkerMetadata.make({ labels, tags })
  })
const reachable = { labels: { [addressLabel]: "127.0.0.1" } }

/** A port to a cluster of its own. */
const withPort = <A, E>(
  body: (port: Required<SchedulerPort["Service"]>, cluster: SlurmCluster) => Effect.Effect<A, E>,
  options: Slurm.SlurmOptions = {}
) =>
  Effect.scoped(
    Effect.flatMap(slurmCluster, (cluster) =>
      Effect.flatMap(SchedulerPort, (port) => body(complete(port), cluster)).pipe(
        Effect.provide(Slurm.layer({ conf: cluster.conf, ...options }))
      )
    )
  )

const complete = (port: SchedulerPort["Service"]): Required<SchedulerPort["Service"]> => {
  const { get, health, list, reconnections = Stream.never, registerBatch } = port
  assert(get !== undefined && health !== undefined && list !== undefined && registerBatch !== undefined)
  return { ...port, get, health, list, reconnections, registerBatch }
}

/** A `scontrol` that first does what these lines of a shell script say. */
const scontrolThat = (name: string, ...lines: ReadonlyArray<string>): string => {
  const path = join(directory, name)
  writeFileSync(path, ["#!/bin/sh", ...lines, 'exec scontrol "$@"', ""].join("\n"))
  chmodSync(path, 0o755)
  return path
}

const field = (cluster: SlurmCluster, node: string, name: string) =>
  new RegExp(`\\b${name}=(\\S*)`).exec(cluster.command("scontrol", "-o", "show", "node", node).output)?.[1]

/** Starts a job on this node, and waits until it is there. */
const startJob = (cluster: SlurmCluster, node: string) =>
  Effect.gen(function* () {
    const { output } = cluster.command(
      "sbatch",
      "--parsable",
      "--mem=100",
      `--nodelist=${node}`,
      "--wrap=sleep 600"
    )
    const job = output.trim()
    yield* Effect.sync(() =>
      cluster.command("squeue", "--noheader", `--jobs=${job}`, "--format=%N").output.trim()
    ).pipe(Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (on) => on === node }))
    return job
  })

const tagOf = (exit: Result.Result<void, { readonly _tag: string }>) =>
  Result.isSuccess(exit) ? "accepted" : exit.failure._tag

describe.skipIf(whyNoSlurm !== undefined)(`Slurm.layer${skippedForSlurm}`, () => {
  it.live(
    "notices once that the controller is away, however many workers there are, and goes on when it is back",
    () => {
      const log = join(directory, "away.log")
      const scontrol = scontrolThat("away", `echo "$1" >> '${log}'`)
      return withPort(
        (port, cluster) =>
          Effect.gen(function* () {
            cluster.kill()
            writeFileSync(log, "")
            const before = yield* Clock.currentTimeMillis
            const results = yield* Effect.forEach(
              Array.from({ length: 200 }, (_, index) => worker(`w${index}`)),
              (worker) => Effect.result(port.register(worker, { generation: 1 })),
              { concurrency: "unbounded" }
            )
            assert.deepStrictEqual(new Set(results.map(tagOf)), new Set(["SchedulerUnavailable"]))
            assert.strictEqual(readFileSync(log, "utf8"), "ping\n")
            // A single call that is not doubted takes nine.
            assert.isBelow((yield* Clock.currentTimeMillis) - before, 8000)
            assert.strictEqual((yield* port.health).status, "unavailable")

            cluster.start()
            yield* port.register(worker("w1"), { generation: 1 })
            assert.strictEqual((yield* port.health).status, "healthy")
          }),
        { scontrol }
      )
    }
  )

  it.live("doubts a call that takes long, and gives it up when the controller has died", () => {
    const begun = join(directory, "begun")
    const scontrol = scontrolThat(
      "dies",
      `[ "$1" = create ] && { echo $$ > '${begun}'; kill -9 "$(cat "$(dirname "$SLURM_CONF")/slurmctld.pid")"; }`
    )
    return withPort(
      (port) =>
        Effect.gen(function* () {
          const before = yield* Clock.currentTimeMillis
          const result = yield* Effect.result(port.register(worker("a"), { generation: 1 }))
          assert.strictEqual(tagOf(result), "SchedulerUnavailable")
          assert.isBelow((yield* Clock.currentTimeMillis) - before, 8000)
          assert.isFalse(isRunning(Number(readFileSync(begun, "utf8"))))
        }),
      { scontrol }
    )
  })

  it.live("kills the process of a call that is interrupted", () => {
    const begun = join(directory, "interrupted")
    const scontrol = scontrolThat("hangs", `[ "$1" = create ] && { echo $$ > '${begun}'; exec sleep 1000; }`)
    return withPort(
      (port) =>
        Effect.gen(function* () {
          const call = yield* Effect.forkChild(port.register(worker("a"), { generation: 1 }))
          yield* Effect.sync(() => existsSync(begun) && readFileSync(begun, "utf8").endsWith("\n")).pipe(
            Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (is) => is })
          )
          const pid = Number(readFileSync(begun, "utf8"))
          assert.isTrue(isRunning(pid))
          yield* Fiber.interrupt(call)
          yield* Effect.sync(() => isRunning(pid)).pipe(
            Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (is) => !is })
          )
          // The next one is not held up.
          assert.deepStrictEqual(yield* port.get(WorkerId.make("a")), Option.none())
        }),
      // Nothing else ends it.
      { scontrol, timeout: "1 hour" }
    )
  })

  it.live("leaves the nodes of others alone: they are neither listed nor replaced nor deleted", () =>
    withPort((port, cluster) =>
      Effect.gen(function* () {
        cluster.command("scontrol", "create", "NodeName=theirs", "CPUs=1", "State=CLOUD", "Feature=x")
        const refused = yield* Effect.result(port.register(worker("theirs"), { generation: 1 }))
        assert(Result.isFailure(refused) && refused.failure._tag === "SchedulerRejected")
        assert.strictEqual(refused.failure.code, "foreign_node")
        yield* port.unregister(WorkerId.make("theirs"), { generation: 2 })
        assert.deepStrictEqual(yield* Stream.runCollect(port.list), [])
        assert.deepStrictEqual(yield* port.get(WorkerId.make("theirs")), Option.none())
        assert.strictEqual(field(cluster, "theirs", "CPUTot"), "1")
      })
    )
  )

  it.live("takes a node without its notes for one of the oldest generation, and completes it", () =>
    withPort((port, cluster) =>
      Effect.gen(function* () {
        cluster.command(
          "scontrol",
          "create",
          "NodeName=half",
          "CPUs=2",
          "RealMemory=1000",
          "State=CLOUD",
          "Feature=muster"
        )
        const [held] = yield* Stream.runCollect(port.list)
        assert.deepInclude(held, { generation: 0 })
        assert.strictEqual(held?.worker.id, "half")
        const whole = worker("half", { tags: ["spot"] })
        yield* port.register(whole, { generation: 1 })
        assert.deepStrictEqual(yield* Stream.runCollect(port.list), [{ worker: whole, generation: 1 }])
        assert.strictEqual(
          field(cluster, "half", "ActiveFeatures"),
          "muster,type=dynamic,namespace=default,spot"
        )
      })
    )
  )

  it.live("finds the member of a batch that is to blame, and serves the others", () => {
    // As a newer or differently configured Slurm might.
    const scontrol = scontrolThat(
      "refuses",
      'case "$1 $2" in create*bad*|update*bad*)',
      '  echo "slurm_update error: Invalid feature specification" >&2; exit 1 ;;',
      "esac"
    )
    return withPort(
      (port, cluster) =>
        Effect.gen(function* () {
          const ids = ["a", "bad", "c", "ALL", "d"]
          const members = ids.map((id) => ({ worker: worker(id), generation: 1 }))
          const tooLarge = worker("too-large", {
            labels: Object.fromEntries(
              Array.from({ length: 200 }, (_, index) => [`l${index}`, "x".repeat(1000)])
            )
          })
          const tooMany = worker("too-many", { cpuCores: 70_000 })
          const results = yield* port.registerBatch([
            ...members,
            { worker: tooLarge, generation: 1 },
            { worker: tooMany, generation: 1 }
          ])
          assert.deepStrictEqual(
            results.map((result) =>
              Result.isSuccess(result) ? "accepted" : "code" in result.failure ? result.failure.code : "other"
            ),
            ["accepted", "invalid_node", "accepted", "accepted", "accepted", "notes_too_long", "invalid_node"]
          )
          assert.strictEqual(cluster.command("sinfo", "-h", "-N", "-o", "%N").output, "ALL+\na\nc\nd\n")
        }),
      { scontrol }
    )
  })

  it.live("makes a thousand equal workers in a few calls, each with its own generation", () => {
    const log = join(directory, "thousand.log")
    const scontrol = scontrolThat("thousand", `echo "$1" >> '${log}'`)
    return withPort(
      (port, cluster) =>
        Effect.gen(function* () {
          const members = Array.from({ length: 1000 }, (_, index) => ({
            worker: worker(`w${index}`),
            generation: index + 1
          }))
          const results = yield* port.registerBatch(members)
          assert.isTrue(results.every(Result.isSuccess))
          const calls = readFileSync(log, "utf8").split("\n")
          assert.strictEqual(calls.filter((call) => call === "create").length, 4)
          assert.strictEqual(calls.filter((call) => call === "update").length, 63)
          assert.strictEqual(cluster.command("sinfo", "-h", "-o", "%D").output.trim(), "1000")
          const held = yield* Stream.runCollect(port.list)
          assert.deepStrictEqual(
            held.toSorted((a, b) => Number(a.generation) - Number(b.generation)),
            members
          )
        }),
      { scontrol }
    )
  })

  it.live(
    "changes a node with a job on it where Slurm can, and replaces it when the job has ended where not",
    () =>
      withPort((port, cluster) =>
        Effect.gen(function* () {
          yield* port.register(worker("a", reachable), { generation: 1 })
          const job = yield* startJob(cluster, "a")

          yield* port.register(worker("a", { ...reachable, tags: ["spot"] }), { generation: 2 })
          assert.include(field(cluster, "a", "AvailableFeatures"), "spot")

          const larger = worker("a", { ...reachable, cpuCores: 4 })
          const busy = yield* Effect.result(port.register(larger, { generation: 3 }))
          assert.strictEqual(tagOf(busy), "SchedulerUnavailable")
          assert.include(field(cluster, "a", "State"), "DRAIN")
          assert.strictEqual(cluster.command("squeue", "-h", "-o", "%A").output.trim(), job)

          // It is wanted as it is after all: the jobs may come again.
          yield* port.register(worker("a", reachable), { generation: 4 })
          assert.notInclude(field(cluster, "a", "State"), "DRAIN")

          cluster.command("scancel", job)
          yield* port
            .register(larger, { generation: 5 })
            .pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }))
          assert.strictEqual(field(cluster, "a", "CPUTot"), "4")
          assert.notInclude(field(cluster, "a", "State"), "DRAIN")
        })
      )
  )

  it.live("says that the table is full, of whom there is no room for", () =>
    withPort((port, cluster) =>
      Effect.gen(function* () {
        cluster.command("sed", "-i", "s/^MaxNodeCount=.*/MaxNodeCount=2/", cluster.conf)
        cluster.kill()
        cluster.start()
        const results = yield* port.registerBatch(
          ["a", "b", "c"].map((id) => ({ worker: worker(id), generation: 1 }))
        )
        assert.deepStrictEqual(results.map(tagOf).toSorted(), [
          "SchedulerUnavailable",
          "accepted",
          "accepted"
        ])
        const refused = results.find(Result.isFailure)
        assert.match(refused?.failure.message ?? "", /has not added the node .: is MaxNodeCount reached\?/)
      })
    )
  )

  it.live("says what in slurm.conf it cannot work with", () =>
    withPort((port, cluster) =>
      Effect.gen(function* () {
        cluster.command("sed", "-i", "/^PrivateData/d", cluster.conf)
        cluster.kill()
        cluster.start()
        const result = yield* Effect.result(port.register(worker("a"), { generation: 1 }))
        assert(Result.isFailure(result) && result.failure._tag === "SchedulerFault")
        assert.isTrue(result.failure.retryable)
        assert.match(result.failure.message, /needs PrivateData=cloud/)
        assert.deepInclude(yield* port.health, { status: "degraded" })
      })
    )
  )

  it.live("fails what is waited for when it is closed, and what is asked for afterwards", () =>
    Effect.gen(function* () {
      const scontrol = scontrolThat("closing", '[ "$1" = create ] && exec sleep 1000')
      const call = yield* Effect.scoped(
        Effect.gen(function* () {
          const { conf } = yield* slurmCluster
          const port = Context.get(yield* Layer.build(Slurm.layer({ conf, scontrol })), SchedulerPort)
          return yield* Effect.forkDetach(port.register(worker("a"), { generation: 1 }))
        })
      )
      assert.isTrue(Exit.isFailure(yield* Fiber.await(call)))
    })
  )
})

/** Whether there is such a process; one that has ended but was not waited for is none. */
const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

describe("Slurm.layer", () => {
  it.effect.each([
    ["conf", { conf: "/no/such/slurm.conf" }, /"\/no\/such\/slurm.conf" is not a file that can be read/],
    ["concurrency", { concurrency: 0 }, /concurrency must be a whole number, 1 or more, but is 0/],
    ["timeout", { timeout: 0 }, /timeout must be above zero/],
    ["scontrol", { scontrol: "/no/such/scontrol" }, /cannot be run: .*with the package slurm-client/]
  ] as const)("refuses options that make no sense: %s", ([option, options, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Slurm.layer(options))))
      assert.strictEqual(error.option, option)
      assert.match(error.message, message)
    })
  )
})
