/**
 * The steps of a worker's life: what a change, a call's outcome or a finding makes of its record. Plain functions on a
 * draft, without a store, a scheduler or a clock.
 */
import { Equal } from "effect"
import type { Worker } from "../Worker.ts"
import type { WorkerId } from "../WorkerId.ts"
import type { Draft } from "./Draft.ts"
import type { Failure } from "./Failure.ts"
import type { Phase } from "./Phase.ts"
import type { Priority } from "./Priority.ts"
import { StoredWorker } from "./StoredWorker.ts"
import type { ChangeName, TimelineItem } from "./Timeline.ts"
import {
  type Desired,
  type DriftKind,
  type EventPlace,
  isUnfinished,
  type WorkerRecord
} from "./WorkerRecord.ts"

/** What asked for a change, as far as it was said. */
export interface Occasion {
  readonly name: ChangeName
  readonly place?: EventPlace | undefined
  readonly reason?: string | undefined
  readonly priority?: Priority | undefined
  /** What was found to differ at the scheduler, where that is why. */
  readonly repairs?: DriftKind | undefined
}

export interface Provision {
  readonly worker: Worker
  /** Whether the sender said when the worker was provisioned; otherwise that time is not part of its content. */
  readonly saidWhenProvisioned: boolean
  readonly priority?: Priority | undefined
  /** In milliseconds. */
  readonly leaseTtl?: number | undefined
  readonly place?: EventPlace | undefined
}

/** What a change came to. `Outdated`: a newer event of the same source was there before it; nothing changed. */
export type Change =
  | { readonly _tag: "Applied"; readonly record: WorkerRecord }
  | { readonly _tag: "Outdated"; readonly record: WorkerRecord }
  | { readonly _tag: "Full" }

/** The phase of a worker for which a call is still to come. */
export const phaseBefore = { registered: "pending", unregistered: "unregistering" } as const

/** How many checks in a row may find a worker lost and register it again, before it is left to comparisons. */
const maximumLosses = 3

/**
 * A worker is wanted. One that is wanted already with the same content keeps its generation and costs no call; its
 * priority and lease are those that were said last.
 */
export const provision = (draft: Draft, options: Provision): Change => {
  const { place, priority = "normal", saidWhenProvisioned, worker } = options
  const isDynamic = worker.metadata.workerType === "dynamic"
  const leaseTtl = options.leaseTtl ?? (isDynamic ? draft.rules.defaultLease : undefined)
  const known = draft.record(worker.id)
  const said = {
    priority,
    leaseTtl,
    leaseExpiresAt: draft.leaseEnd(leaseTtl),
    owner: ownerOf(draft, known)
  }
  if (known === undefined) {
    if (draft.isFull) return full
    const record = {
      ...blank(worker.id, "registered", draft.now),
      ...said,
      stored: StoredWorker.of(worker)
    }
    return change(draft, record, "registered", provisionedAt(place))
  }
  if (isOutdated(known, place)) return { _tag: "Outdated", record: known }
  const isSame =
    known.desired === "registered" &&
    known.phase !== "failed" &&
    known.stored !== undefined &&
    sameContent(known.stored.worker, worker, saidWhenProvisioned)
  if (isSame) return applied(draft.put({ ...known, ...said, lastEvent: place ?? known.lastEvent }))
  if (draft.isFull && !isUnfinished(known)) return full
  const record = { ...known, ...said, stored: StoredWorker.of(worker), saidReady: false, losses: 0 }
  return change(draft, record, "registered", provisionedAt(place))
}

/** A worker stays its owner's as long as it lives, whoever else changes it. */
const ownerOf = ({ actor }: Draft, known: WorkerRecord | undefined): string | undefined =>
  known?.desired === "registered" && actor?.takesOver !== true ? known.owner : actor?.id

const provisionedAt = (place: EventPlace | undefined): Occasion => ({ name: "provisioned", place })

/** A worker is gone. What is not known is unregistered all the same, in case the scheduler knows it. */
export const terminate = (draft: Draft, id: WorkerId, occasion: Occasion): Change => {
  const { place, priority, repairs } = occasion
  const known = draft.record(id)
  if (known === undefined) {
    if (draft.isFull) return full
    const record = { ...blank(id, "unregistered", draft.now), repairs }
    return change(draft, { ...record, priority: priority ?? "normal" }, "unregistered", occasion)
  }
  if (isOutdated(known, place)) return { _tag: "Outdated", record: known }
  if (known.desired === "unregistered" && known.phase !== "failed") return keep(draft, known, occasion)
  if (draft.isFull && !isUnfinished(known)) return full
  const record = { ...known, ...noLease, saidReady: false, priority: priority ?? known.priority }
  return change(draft, record, "unregistered", occasion)
}

/** A worker that is wanted says that it can take jobs: the scheduler has to have it. */
export const ready = (draft: Draft, known: WorkerRecord, occasion: Omit<Occasion, "name">): Change => {
  const { place, priority } = occasion
  if (isOutdated(known, place)) return { _tag: "Outdated", record: known }
  if (draft.isFull && !isUnfinished(known)) return full
  const record: WorkerRecord = {
    ...known,
    saidReady: true,
    priority: priority ?? known.priority,
    leaseExpiresAt: draft.leaseEnd(known.leaseTtl),
    lastEvent: place ?? known.lastEvent
  }
  const said = changeItem(record, draft.now, { name: "ready", place })
  if (isUnfinished(known)) return applied(draft.put(record, [said]))
  if (known.phase !== "failed") {
    return applied(draft.put({ ...record, task: "verify", dueAt: draft.now, trace: draft.trace }, [said]))
  }
  return applied(toPhase(draft, begin(draft, record), "pending", [said]))
}

/**
 * Somebody doubts that the scheduler has a worker: it is asked, and the worker registered again if not. A call that is
 * to come answers the same; a dead letter is tried again.
 */
export const check = (draft: Draft, known: WorkerRecord): Change => {
  if (isUnfinished(known)) return applied(known)
  if (known.phase === "failed") return retry(draft, known)
  if (draft.isFull) return full
  return applied(draft.put({ ...known, task: "verify", dueAt: draft.now }))
}

/** A wait for the next call ends now, or as soon as the scheduler has said that it may. */
export const hasten = (draft: Draft, known: WorkerRecord): Change => {
  const { dueAt, nextAttemptAt, notBefore = 0 } = known
  if (known.phase === "failed") return retry(draft, known)
  if (nextAttemptAt === undefined || dueAt === undefined) return applied(known)
  const sooner = Math.min(dueAt, Math.max(draft.now, notBefore))
  if (sooner === dueAt) return applied(known)
  const record = { ...known, dueAt: sooner, nextAttemptAt: sooner > draft.now ? sooner : undefined }
  return applied(draft.put(record, [changeItem(record, draft.now, { name: "retried" })]))
}

/** What failed is tried again as it is wanted now. Its generation stays: nothing about the worker has changed. */
export const retry = (draft: Draft, known: WorkerRecord): Change => {
  if (draft.isFull) return full
  const record = begin(draft, { ...known, attempts: 0 })
  const item = changeItem(record, draft.now, { name: "retried" })
  return applied(toPhase(draft, record, phaseBefore[known.desired], [item]))
}

/**
 * What failed is given up. A worker that would not be registered is unregistered, because the scheduler may have an
 * earlier state of it; one that would not be unregistered counts as gone.
 */
export const giveUp = (draft: Draft, known: WorkerRecord): Change => {
  if (known.desired === "registered") return terminate(draft, known.id, { name: "dropped" })
  return applied(toPhase(draft, known, "terminated", [changeItem(known, draft.now, { name: "dropped" })]))
}

/** The scheduler does not have a worker that it should have: it is registered again, as it is. */
export const lost = (draft: Draft, known: WorkerRecord, reason: string): Change =>
  again(draft, known, { name: "lost", reason, repairs: "lost" })

/** The scheduler still has a worker that is gone: it is unregistered again. */
export const ghost = (draft: Draft, known: WorkerRecord, reason: string): Change =>
  again(draft, known, { name: "ghost", reason, repairs: "ghost" })

/** A worker that only the scheduler knew becomes one of the fleet, and is registered as such. */
export const adopt = (draft: Draft, worker: Worker): Change => {
  if (draft.isFull) return full
  const record = blank(worker.id, "registered", draft.now)
  const stored = StoredWorker.of(worker)
  return change(draft, { ...record, stored, repairs: "unknown" }, "registered", { name: "adopted" })
}

const again = (draft: Draft, known: WorkerRecord, occasion: Occasion): Change => {
  if (draft.isFull) return full
  const record = begin(draft, { ...known, attempts: 0, repairs: occasion.repairs })
  return applied(
    toPhase(draft, record, phaseBefore[known.desired], [changeItem(record, draft.now, occasion)])
  )
}

/** What calls for a worker came to, as the reconciler has kept it until now. */
export interface CallReport {
  /** The generation that the last call carried, and how many calls there were for it. */
  readonly generation: number
  readonly attempts: number
  /** How the last call failed, if it did. */
  readonly lastError: Failure | undefined
  /** What is to be added to the timeline. */
  readonly items: ReadonlyArray<TimelineItem>
}

/** Calls for a worker are under way: what there is to tell so far. */
export const underWay = (
  draft: Draft,
  known: WorkerRecord,
  report: CallReport,
  isRegistering: boolean
): void => {
  if (known.generation !== report.generation) return outrun(draft, known, report)
  const phase = isRegistering ? "registering" : known.phase
  toPhase(draft, counted(known, report), phase, report.items)
}

/** The scheduler has what is wanted. `found`: a check found it lost, and it was registered again. */
export const converged = (draft: Draft, known: WorkerRecord, report: CallReport, found: boolean): void => {
  const { checkAfter } = draft.rules
  const losses = found ? known.losses + 1 : known.losses
  const isWanted = known.desired === "registered"
  const wasCalled = known.task === "call" || found
  const isChecked = isWanted && checkAfter !== undefined && wasCalled && losses < maximumLosses
  const isSeenAgain = known.task === "check" && !found
  // One literal, as this is done for each worker: spread out of parts it took four times the memory.
  const record: WorkerRecord = {
    ...known,
    attempts: known.generation === report.generation ? report.attempts : known.attempts,
    task: isChecked ? "check" : undefined,
    dueAt: isChecked ? draft.now + checkAfter : undefined,
    nextAttemptAt: undefined,
    notBefore: undefined,
    trace: undefined,
    failures: 0,
    failingSince: undefined,
    lastError: undefined,
    losses,
    registeredAt: isWanted && !isSeenAgain ? draft.now : known.registeredAt
  }
  const phase = isWanted ? (known.saidReady ? "ready" : "registered") : "terminated"
  toPhase(draft, record, phase, report.items)
}

/** No further call is made until something about the worker changes. */
export const failed = (draft: Draft, known: WorkerRecord, report: CallReport, failure: Failure): void => {
  const record = { ...counted(known, report), ...nothingToDo, failures: 0, failingSince: undefined }
  toPhase(draft, { ...record, lastError: failure }, "failed", report.items)
}

/** Nobody asked for a check, and it says nothing that it cannot be made: the worker stays as it is, unchecked. */
export const unchecked = (draft: Draft, known: WorkerRecord, report: CallReport): void => {
  draft.put({ ...known, ...nothingToDo, failures: 0, failingSince: undefined }, report.items)
}

/** The call is made again, after a wait. */
export const postponed = (
  draft: Draft,
  known: WorkerRecord,
  report: CallReport,
  failure: Failure,
  wait: { readonly until: number; readonly notBefore: number }
): void => {
  const record: WorkerRecord = {
    ...counted(known, report),
    dueAt: wait.until,
    nextAttemptAt: wait.until,
    notBefore: wait.notBefore,
    failures: known.failures + 1,
    failingSince: known.failingSince ?? draft.now,
    lastError: known.generation === report.generation ? failure : known.lastError
  }
  // A call for a worker that is registered already does not take that from it.
  const isPending = known.desired === "registered" && known.task === "call"
  toPhase(draft, record, isPending ? "pending" : known.phase, report.items)
}

/**
 * The calls carried what is not wanted any more: what is wanted now is still to be done. A phase that they brought and
 * nobody was told of is over already.
 */
export const outrun = (draft: Draft, known: WorkerRecord, report: CallReport): void => {
  draft.put(
    known,
    report.items.filter(({ type }) => type !== "phase")
  )
}

const counted = (known: WorkerRecord, { attempts, generation, lastError }: CallReport): WorkerRecord =>
  known.generation === generation ? { ...known, attempts, lastError: lastError ?? known.lastError } : known

export const blank = (id: WorkerId, desired: Desired, now: number): WorkerRecord => ({
  id,
  stored: undefined,
  desired,
  phase: phaseBefore[desired],
  priority: "normal",
  generation: 0,
  ...nothingToDo,
  unfinishedSince: undefined,
  repairs: undefined,
  attempts: 0,
  failures: 0,
  failingSince: undefined,
  losses: 0,
  saidReady: false,
  createdAt: now,
  updatedAt: now,
  registeredAt: undefined,
  lastError: undefined,
  lastEvent: undefined,
  owner: undefined,
  ...noLease,
  told: 0
})

export const nothingToDo = {
  task: undefined,
  dueAt: undefined,
  nextAttemptAt: undefined,
  notBefore: undefined,
  trace: undefined
} as const

const noLease = { leaseTtl: undefined, leaseExpiresAt: undefined } as const

/** A call is to be made, now. */
export const begin = (draft: Draft, record: WorkerRecord): WorkerRecord => ({
  ...record,
  ...nothingToDo,
  task: "call",
  dueAt: draft.now,
  trace: draft.trace,
  failures: 0,
  failingSince: undefined
})

const change = (draft: Draft, known: WorkerRecord, desired: Desired, occasion: Occasion): Change => {
  const { now, rules } = draft
  const isNew = known.generation === 0
  const hasTurned = known.desired !== desired
  let record: WorkerRecord = {
    ...known,
    desired,
    generation: draft.nextGeneration(known),
    attempts: 0,
    lastError: undefined,
    updatedAt: now,
    lastEvent: occasion.place ?? known.lastEvent,
    // The call that is still to come carries this change too; it must not lose the trace of the one before.
    trace: draft.trace ?? known.trace
  }
  // An unfinished one is called for already, now or when its wait is over: three changes cost one call.
  if (!isUnfinished(known)) record = begin(draft, record)
  else if (hasTurned) record = hurried(record, now, rules.retryDelay)
  else record = { ...record, task: "call" }
  const item = changeItem(record, now, occasion)
  if (!isNew) return applied(toPhase(draft, record, phaseBefore[desired], [item]))
  return applied(draft.put(record, [item, phaseItem(record, now, record.phase)]))
}

/** What is wanted has turned round: how often the opposite failed says nothing, and no more than a first wait is left. */
const hurried = (record: WorkerRecord, now: number, retryDelay: number): WorkerRecord => {
  const turned = { ...record, task: "call", failures: 0, failingSince: undefined } as const
  if (record.nextAttemptAt === undefined || record.dueAt === undefined) return turned
  const sooner = Math.min(record.dueAt, Math.max(now + retryDelay, record.notBefore ?? now))
  return { ...turned, dueAt: sooner, nextAttemptAt: sooner }
}

const keep = (draft: Draft, known: WorkerRecord, { place, priority }: Occasion): Change => {
  if (place === undefined && priority === undefined) return applied(known)
  const record = { ...known, priority: priority ?? known.priority, lastEvent: place ?? known.lastEvent }
  return applied(draft.put(record))
}

const toPhase = (
  draft: Draft,
  record: WorkerRecord,
  phase: Phase,
  items: ReadonlyArray<TimelineItem>
): WorkerRecord => {
  const latest = items.findLast(({ type }) => type === "phase")
  const current = latest?.type === "phase" ? latest.phase : record.phase
  if (current === phase) return draft.put({ ...record, phase }, items)
  return draft.put({ ...record, phase, updatedAt: draft.now }, [
    ...items,
    phaseItem(record, draft.now, phase)
  ])
}

export const changeItem = (
  { generation }: WorkerRecord,
  at: number,
  { name, place, reason }: Occasion
): TimelineItem => ({ type: "change", at, generation, change: name, source: place?.source, reason })

export const phaseItem = (
  { generation, nextAttemptAt }: WorkerRecord,
  at: number,
  phase: Phase
): TimelineItem => ({
  type: "phase",
  at,
  generation,
  phase,
  nextAttemptAt
})

export const full: Change = { _tag: "Full" }

const applied = (record: WorkerRecord): Change => ({ _tag: "Applied", record })

const isOutdated = ({ lastEvent }: WorkerRecord, place: EventPlace | undefined): boolean =>
  place !== undefined && lastEvent?.source === place.source && place.occurredAt < lastEvent.occurredAt

const sameContent = (known: Worker, given: Worker, saidWhenProvisioned: boolean): boolean => {
  const { provisionedAt: knownAt, tags: knownTags, ...knownMetadata } = known.metadata
  const { provisionedAt: givenAt, tags: givenTags, ...givenMetadata } = given.metadata
  return (
    (!saidWhenProvisioned || Equal.equals(knownAt, givenAt)) &&
    Equal.equals({ ...knownMetadata }, { ...givenMetadata }) &&
    Equal.equals({ ...known.capabilities }, { ...given.capabilities }) &&
    Equal.equals(new Set(knownTags), new Set(givenTags))
  )
}
