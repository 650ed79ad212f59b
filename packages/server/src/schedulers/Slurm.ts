/**
 * Slurm as a scheduler: workers are its dynamic nodes (Slurm 22.05 and later). Slurm has no protocol for others than
 * its own programs, so this drives `scontrol`, which must be installed and able to reach the controller as Slurm's
 * user or as root. How workers become nodes, and what errors mean, is in `docs/schedulers/slurm.md`.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type HeldWorker, SchedulerPort, Worker, WorkerCapabilities, WorkerMetadata } from "@muster/core"
import { DateTime, Duration, Effect, FileSystem, Layer, Option, Schema, Stream } from "effect"
import { makeCluster } from "./slurm/Cluster.ts"
import { Graves } from "./slurm/Graves.ts"
import { slurmHealth } from "./slurm/Health.ts"
import { toNodeName, toWorkerId } from "./slurm/NodeName.ts"
import type { NodeRecord } from "./slurm/NodeRecord.ts"
import { allNodes, nodesNamed } from "./slurm/NodeTable.ts"
import { makeRounds } from "./slurm/Rounds.ts"
import { makeScontrol } from "./slurm/Scontrol.ts"

export interface SlurmOptions {
  /**
   * The path of the cluster's slurm.conf. Default: where Slurm's own clients find it, which is the variable
   * `SLURM_CONF`, then `/etc/slurm/slurm.conf`, then the cluster's DNS entry.
   */
  readonly conf?: string | undefined
  /** The program `scontrol`: a path, or a name to be found in `PATH`. Default `scontrol`. */
  readonly scontrol?: string | undefined
  /** The most changes that are sent to the controller at the same time, an integer ≥ 1. Default 4. */
  readonly concurrency?: number | undefined
  /**
   * How long one call of `scontrol` may take before it is killed. Default 30 seconds. It should be longer than Slurm's
   * `MessageTimeout`, which is 10 seconds unless it is set.
   */
  readonly timeout?: Duration.Input | undefined
}

/** Slurm cannot be used as these options say; the message names the option and the rule. */
export class InvalidSlurmOptions extends Schema.TaggedError<InvalidSlurmOptions>(
  "@muster/server/schedulers/InvalidSlurmOptions"
)("InvalidSlurmOptions", {
  option: Schema.Literals(["conf", "scontrol", "concurrency", "timeout"]),
  message: Schema.String
}) {}

/**
 * The port to a Slurm cluster, with all of its optional parts. Fails with {@link InvalidSlurmOptions} where an option
 * makes no sense: a file that is not there, or a concurrency of 0. The controller need not be up.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import * as Slurm from "@muster/server/schedulers/Slurm"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(Layer.provide(Slurm.layer({ conf: "/etc/slurm/slurm.conf" })))
 * ```
 */
export const layer = (options: SlurmOptions = {}): Layer.Layer<SchedulerPort, InvalidSlurmOptions> =>
  Layer.effect(SchedulerPort, make(options)).pipe(Layer.provide(NodeServices.layer))

const make = Effect.fnUntraced(function* (options: SlurmOptions) {
  const resolved = yield* resolve(options)
  const scontrol = yield* makeScontrol(resolved)
  // It needs neither a controller nor a configuration.
  yield* Effect.mapError(
    scontrol.call("--version"),
    ({ message }) =>
      new InvalidSlurmOptions({
        option: "scontrol",
        message: `${message}. It comes with Slurm; on Debian, with the package slurm-client`
      })
  )
  const cluster = yield* makeCluster(scontrol)
  const submit = yield* makeRounds({ scontrol, cluster, graves: new Graves(), unscheduled: new Set() })
  return SchedulerPort.make({
    register: (worker, { generation }) => submit({ workerId: worker.id, generation, worker }),
    unregister: (workerId, { generation }) => submit({ workerId, generation, worker: undefined }),
    registerBatch: (members) =>
      Effect.forEach(
        members,
        ({ generation, worker }) => Effect.result(submit({ workerId: worker.id, generation, worker })),
        { concurrency: "unbounded" }
      ),
    get: (workerId) => {
      const name = toNodeName(workerId)
      return Effect.map(nodesNamed(scontrol, [name]), (nodes) =>
        Option.flatMap(Option.fromUndefinedOr(nodes.get(name)), toHeldWorker)
      )
    },
    list: allNodes(scontrol).pipe(
      Stream.flatMap((node) => Stream.fromIterable(Option.toArray(toHeldWorker(node))))
    ),
    health: slurmHealth(scontrol, cluster)
  })
})

const resolve = Effect.fnUntraced(function* (options: SlurmOptions) {
  const { concurrency = 4, conf, scontrol = "scontrol" } = options
  const timeout = Duration.fromInput(options.timeout ?? "30 seconds")
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    const message = `concurrency must be a whole number, 1 or more, but is ${concurrency}`
    return yield* new InvalidSlurmOptions({ option: "concurrency", message })
  }
  if (Option.isNone(timeout) || !Duration.isGreaterThan(timeout.value, Duration.zero)) {
    return yield* new InvalidSlurmOptions({ option: "timeout", message: "timeout must be above zero" })
  }
  if (scontrol === "") {
    return yield* new InvalidSlurmOptions({ option: "scontrol", message: "scontrol must not be empty" })
  }
  if (conf !== undefined) {
    const files = yield* FileSystem.FileSystem
    yield* Effect.mapError(
      files.access(conf, { readable: true }),
      () =>
        new InvalidSlurmOptions({
          option: "conf",
          message: `${JSON.stringify(conf)} is not a file that can be read: it must be the path of slurm.conf`
        })
    )
  }
  return { concurrency, conf, program: scontrol, timeout: timeout.value }
})

/** A node as the worker that it was registered as; none for a node that is not Muster's. */
const toHeldWorker = (node: NodeRecord): Option.Option<HeldWorker> =>
  node.isOurs ? Option.orElse(node.note, () => withoutNotes(node)) : Option.none()

/**
 * A node that was made, but whose notes did not come to be written, or were written over. Its generation is the
 * oldest that there can be, so that whoever compares registers it again, or takes it for gone.
 */
const withoutNotes = (node: NodeRecord): Option.Option<HeldWorker> =>
  Option.map(toWorkerId(node.name), (id) => ({
    generation: 0,
    worker: Worker.make({
      id,
      capabilities: WorkerCapabilities.make({
        cpuCores: Math.max(1, node.cpus),
        memoryMb: Math.max(1, node.memoryMb)
      }),
      metadata: WorkerMetadata.make({ provisionedAt: DateTime.makeUnsafe(0) })
    })
  }))
