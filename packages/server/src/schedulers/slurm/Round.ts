/**
 * One round of changes to different workers. The nodes are read once, what is to be done follows from what is there,
 * and equal things are done in one call: nodes are created in one where they are alike, get their notes sixteen at a
 * time, and are deleted all at once. Where such a call is refused, each member is tried alone to find the culprit.
 */
import { type SchedulerError, SchedulerRejected, type Worker, type WorkerId } from "@muster/core"
import { Effect, Option, Result } from "effect"
import { type Cluster, requireUsable } from "./Cluster.ts"
import type { Graves } from "./Graves.ts"
import {
  createNodes,
  deleteNodes,
  type Outcome,
  type Unwanted,
  updateNodes,
  type Wanted
} from "./NodeChanges.ts"
import { toNodeName } from "./NodeName.ts"
import { encodeNotes, maxNotesLength, sharedPart } from "./NodeNotes.ts"
import type { NodeRecord } from "./NodeRecord.ts"
import { isGres, markerFeature, type NodeSpec, toNodeSpec } from "./NodeSpec.ts"
import { nodesNamed } from "./NodeTable.ts"
import type { Scontrol } from "./Scontrol.ts"
import { rejectionCodes } from "./SlurmErrors.ts"

/** What somebody wants of one worker. */
export interface Change {
  readonly workerId: WorkerId
  readonly generation: number
  /** Absent: it is to be gone. */
  readonly worker: Worker | undefined
}

export interface RoundTools {
  readonly scontrol: Scontrol
  readonly cluster: Effect.Effect<Cluster, SchedulerError>
  readonly graves: Graves
  /** Custom resources of which it has been told already that jobs cannot ask for them. */
  readonly unscheduled: Set<string>
}

const done: Outcome = Result.void

/** Carries out changes to different workers; the outcomes by change. Fails where the controller is away. */
export const runRound = Effect.fnUntraced(function* (
  { cluster, graves, scontrol, unscheduled }: RoundTools,
  changes: ReadonlyArray<Change>
): Effect.fn.Return<ReadonlyMap<Change, Outcome>, SchedulerError> {
  const outcomes = new Map<Change, Outcome>()
  const nodes = yield* nodesNamed(
    scontrol,
    changes.map(({ workerId }) => toNodeName(workerId))
  )
  const configuration = yield* cluster
  yield* requireUsable(configuration)
  yield* tellUnscheduled(changes, configuration, unscheduled)

  const deletions: Array<Unwanted<Change>> = []
  const creations: Array<Wanted<Change>> = []
  const updates: Array<Wanted<Change>> = []
  for (const change of changes) {
    const node = nodes.get(toNodeName(change.workerId))
    const refusal = refuse(change, node, graves)
    if (refusal !== undefined) {
      outcomes.set(change, Result.fail(refusal))
    } else if (change.worker === undefined) {
      graves.bury(change.workerId, change.generation)
      if (node === undefined || !node.isOurs) outcomes.set(change, done)
      else deletions.push({ change, node, then: "nothing" })
    } else {
      const wanted = want(change, change.worker, configuration, node)
      if (Result.isFailure(wanted)) outcomes.set(change, Result.fail(wanted.failure))
      else if (node === undefined) creations.push(wanted.success)
      else if (isUpdatable(node, wanted.success.spec)) updates.push(wanted.success)
      else {
        deletions.push({ change, node, then: "replacement" })
        creations.push({ ...wanted.success, node: undefined })
      }
    }
  }

  const hasFailed = ({ change }: Wanted<Change>) => Result.isFailure(outcomes.get(change) ?? done)
  for (const [{ change }, outcome] of yield* deleteNodes(scontrol, deletions)) outcomes.set(change, outcome)
  const creatable = creations.filter((wanted) => !hasFailed(wanted))
  for (const [{ change }, outcome] of yield* createNodes(scontrol, creatable)) outcomes.set(change, outcome)
  const created = creatable.filter((wanted) => !hasFailed(wanted))
  for (const [{ change }, outcome] of yield* updateNodes(scontrol, [...created, ...updates])) {
    outcomes.set(change, outcome)
  }
  return outcomes
})

const maxTold = 1000

/** Once for each custom resource of which Slurm knows nothing. */
const tellUnscheduled = (
  changes: ReadonlyArray<Change>,
  { gresTypes }: Cluster,
  told: Set<string>
): Effect.Effect<void> => {
  const names = new Set(
    changes
      .flatMap(({ worker }) => Object.keys(worker?.capabilities.customResources ?? {}))
      .filter((name) => !told.has(name) && !isGres(name, gresTypes))
  )
  if (names.size === 0 || told.size > maxTold) return Effect.void
  for (const name of names) told.add(name)
  return Effect.logWarning(
    `Jobs cannot ask for ${Array.from(names, (name) => JSON.stringify(name)).join(", ")}: ` +
      "the cluster's GresTypes has no such resource"
  )
}

/** What can be said without asking Slurm for more. */
const refuse = (
  { generation, worker, workerId }: Change,
  node: NodeRecord | undefined,
  graves: Graves
): SchedulerRejected | undefined => {
  if (node !== undefined && !node.isOurs) {
    if (worker === undefined) return undefined
    return new SchedulerRejected({
      message: `Slurm has a node ${node.name} that Muster has not made: it lacks the feature ${markerFeature}`,
      code: rejectionCodes.foreignNode
    })
  }
  const held = Option.match(node?.note ?? Option.none(), {
    onSome: (note) => note.generation,
    onNone: () => 0
  })
  const newest = worker === undefined ? held : Math.max(held, graves.generation(workerId))
  return generation < newest
    ? SchedulerRejected.olderGeneration({ given: generation, held: newest })
    : undefined
}

const want = (
  change: Change,
  worker: Worker,
  { gresTypes }: Cluster,
  node: NodeRecord | undefined
): Result.Result<Wanted<Change>, SchedulerRejected> => {
  const shared = sharedPart(worker)
  const note = { worker, generation: change.generation }
  const { length } = encodeNotes(shared, [note])
  if (length > maxNotesLength) {
    const message = `the worker is too large for a node's Extra: ${length} bytes as JSON, and ${maxNotesLength} fit`
    return Result.fail(new SchedulerRejected({ message, code: rejectionCodes.notesTooLong }))
  }
  return Result.map(toNodeSpec(worker, gresTypes), (spec) => ({
    change,
    name: toNodeName(change.workerId),
    spec,
    shared,
    note,
    node
  }))
}

/** Slurm lets CPUs and memory of a node not be changed. */
const isUpdatable = ({ cpus, memoryMb }: NodeRecord, spec: NodeSpec): boolean =>
  cpus === spec.cpus && memoryMb === spec.memoryMb
