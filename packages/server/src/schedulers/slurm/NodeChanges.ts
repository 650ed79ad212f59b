/**
 * Changes to many nodes in few calls: what is equal is done at once. Where such a call is refused, each of its members
 * is tried alone, so that the culprit is found and the others are served.
 */
import { type SchedulerError, SchedulerUnavailable } from "@muster/core"
import { Array as Arr, Effect, Result } from "effect"
import { encodeNotes, maxSharedNotes, type Note } from "./NodeNotes.ts"
import type { NodeRecord } from "./NodeRecord.ts"
import type { NodeSpec } from "./NodeSpec.ts"
import type { Answer, Scontrol } from "./Scontrol.ts"
import { errorOf, kindOf } from "./SlurmErrors.ts"

export type Outcome = Result.Result<void, SchedulerError>

/** A node that is to be there, and with which notes; `change` is what of. */
export interface Wanted<Change> {
  readonly change: Change
  readonly name: string
  readonly spec: NodeSpec
  readonly shared: string
  readonly note: Note
  /** As it was read; absent: it is made in this round. */
  readonly node: NodeRecord | undefined
}

/** A node that is not to be there. */
export interface Unwanted<Change> {
  readonly change: Change
  readonly node: NodeRecord
  readonly then: "nothing" | "replacement"
}

type Outcomes<A> = Effect.Effect<ReadonlyArray<readonly [A, Outcome]>, SchedulerError>

/** How the reason begins for which Muster drains a node; by it, Muster knows that it may take that back. */
const drainReason = "muster:"

/** Deletes nodes; those with jobs are drained, and their outcome says that they have to be waited for. */
export const deleteNodes = Effect.fnUntraced(function* <C>(
  scontrol: Scontrol,
  unwanted: ReadonlyArray<Unwanted<C>>
): Effect.fn.Return<ReadonlyArray<readonly [Unwanted<C>, Outcome]>, SchedulerError> {
  const remove = (group: Group<Unwanted<C>>) => scontrol.call("delete", `NodeName=${namesOf(group)}`)
  const free = unwanted.filter(({ node }) => !node.isBusy)
  const busy = unwanted.filter(({ node }) => node.isBusy)
  // Its jobs may have ended meanwhile; one that has not would fail the call for all.
  const answers = [...(yield* together(free, remove)), ...(yield* eachAlone(busy, remove))]
  const blocked = answers.flatMap(([item, refusal]) =>
    refusal !== undefined && kindOf(refusal) === "busy" ? [item] : []
  )
  const waits = new Map(yield* drainNodes(scontrol, blocked))
  return answers.map(([item, refusal]) => {
    if (refusal === undefined || kindOf(refusal) === "absent") return [item, Result.void]
    return [item, waits.get(item) ?? Result.fail(errorOf(refusal))]
  })
})

const drainNodes = Effect.fnUntraced(function* <C>(scontrol: Scontrol, busy: ReadonlyArray<Unwanted<C>>) {
  const undrained = busy.filter(({ node }) => !node.isDraining)
  const answers = new Map(
    yield* together(undrained, (group) =>
      scontrol.call(
        "update",
        `NodeName=${namesOf(group)}`,
        "State=DRAIN",
        `Reason=${drainReason} waits for its jobs to end`
      )
    )
  )
  return busy.map((item): readonly [Unwanted<C>, Outcome] => {
    const refusal = answers.get(item)
    return [item, Result.fail(refusal === undefined ? stillBusy(item) : errorOf(refusal))]
  })
})

const stillBusy = ({ node: { name }, then }: Unwanted<unknown>) =>
  new SchedulerUnavailable({
    concerns: "worker",
    message:
      `the node ${name} has jobs: it is drained, and ` +
      `${then === "nothing" ? "deleted" : "replaced by what it has become"} when they have ended`
  })

/** Makes nodes that were not there; they have no notes yet. */
export const createNodes = <C>(scontrol: Scontrol, wanted: ReadonlyArray<Wanted<C>>): Outcomes<Wanted<C>> => {
  const create = (group: Group<Wanted<C>>) => {
    const [{ spec }] = group
    return scontrol.call(
      "create",
      `NodeName=${group.map(({ name }) => name).join(",")}`,
      `CPUs=${spec.cpus}`,
      `RealMemory=${spec.memoryMb}`,
      "State=CLOUD",
      `Feature=${spec.features.join(",")}`,
      ...(spec.gres === "" ? [] : [`Gres=${spec.gres}`]),
      ...(spec.address === undefined ? [] : [addresses(group)])
    )
  }
  const alike = ({ spec }: Wanted<C>) =>
    JSON.stringify({ ...spec, address: spec.address === undefined ? "none" : "some" })
  return Effect.map(inGroups(wanted, alike, create), (answers) =>
    answers.map(([item, refusal]) => {
      // Newer versions say so of members of a call that they refused half-way.
      const isThere = refusal === undefined || kindOf(refusal) === "present"
      return [item, isThere ? Result.void : Result.fail(errorOf(refusal))]
    })
  )
}

/** Gives nodes that are there their notes, and what else of them has changed. */
export const updateNodes = <C>(scontrol: Scontrol, wanted: ReadonlyArray<Wanted<C>>): Outcomes<Wanted<C>> => {
  const update = (group: Group<Wanted<C>>) => {
    const [first] = group
    return scontrol.call(
      "update",
      `NodeName=${group.map(({ name }) => name).join(",")}`,
      `Extra=${encodeNotes(
        first.shared,
        group.map(({ note }) => note)
      )}`,
      ...changesOf(first),
      ...(isMoved(first) ? [addresses(group)] : [])
    )
  }
  const alike = (item: Wanted<C>) => JSON.stringify([item.shared, changesOf(item), isMoved(item)])
  return Effect.map(inGroups(wanted, alike, update, maxSharedNotes), (answers) =>
    answers.map(([item, refusal]) => {
      if (refusal === undefined) return [item, Result.void]
      const isMissing = item.node === undefined && kindOf(refusal) === "absent"
      return [item, Result.fail(isMissing ? notAdded(item) : errorOf(refusal))]
    })
  )
}

/** `scontrol create` says nothing when the controller has no room for a node. */
const notAdded = ({ name }: Wanted<unknown>) =>
  new SchedulerUnavailable({ message: `Slurm has not added the node ${name}: is MaxNodeCount reached?` })

const changesOf = ({ node, spec }: Wanted<unknown>): ReadonlyArray<string> => {
  if (node === undefined) return []
  const features = spec.features.join(",")
  return [
    // The active ones have to be among the available ones.
    ...(node.features.join(",") === features
      ? []
      : [`AvailableFeatures=${features}`, `ActiveFeatures=${features}`]),
    // Slurm adds in brackets which sockets they are at.
    ...(node.gres.replaceAll(/\([^)]*\)/g, "") === spec.gres ? [] : [`Gres=${spec.gres}`]),
    ...(node.isDraining && node.reason.startsWith(drainReason) ? ["State=UNDRAIN"] : [])
  ]
}

const isMoved = ({ node, spec }: Wanted<unknown>): boolean =>
  node !== undefined && spec.address !== undefined && node.address !== spec.address

/** As many as names: one too few ends some builds of slurmctld. */
const addresses = (group: Group<Wanted<unknown>>) =>
  `NodeAddr=${group.map(({ name, spec }) => spec.address ?? name).join(",")}`

const namesOf = (group: Group<Unwanted<unknown>>) => group.map(({ node }) => node.name).join(",")

type Group<A> = Arr.NonEmptyReadonlyArray<A>

/** What was refused of each, in Slurm's words; `undefined`: nothing. */
type Refusals<A> = ReadonlyArray<readonly [A, string | undefined]>

type Act<A> = (group: Group<A>) => Effect.Effect<Answer, SchedulerError>

const inGroups = <A>(
  items: ReadonlyArray<A>,
  alike: (item: A) => string,
  act: Act<A>,
  atMost = Infinity
): Effect.Effect<Refusals<A>, SchedulerError> => {
  const groups = Object.values(Arr.groupBy(items, alike)).flatMap((group) =>
    atMost < group.length ? Arr.chunksOf(group, atMost) : [group]
  )
  // How many calls there are at the same time, Scontrol sees to.
  return Effect.map(
    Effect.forEach(groups, (group) => together(group, act), { concurrency: "unbounded" }),
    Arr.flatten
  )
}

const together = Effect.fnUntraced(function* <A>(
  items: ReadonlyArray<A>,
  act: Act<A>
): Effect.fn.Return<Refusals<A>, SchedulerError> {
  if (!Arr.isReadonlyArrayNonEmpty(items)) return []
  const { refusal } = yield* act(items)
  if (refusal === undefined || items.length === 1) return items.map((item) => [item, refusal])
  return yield* eachAlone(items, act)
})

const eachAlone = <A>(items: ReadonlyArray<A>, act: Act<A>): Effect.Effect<Refusals<A>, SchedulerError> =>
  Effect.forEach(items, (item) => Effect.map(act([item]), ({ refusal }) => [item, refusal] as const), {
    concurrency: "unbounded"
  })
