/**
 * Where the fleet is kept: one record for each worker, what happened to it, and the keys of what was accepted before.
 *
 * A store decides nothing. All rules are functions from records to records; a store reads, lets such a function decide
 * and commits what it says, in one transaction. So every store behaves alike, and a rule is tested without one.
 */
import { Context, type Effect, Schema } from "effect"
import type { AuditEntry } from "./Audit.ts"
import type { Phase } from "./Phase.ts"
import type { Priority } from "./Priority.ts"
import type { TimelineItem } from "./Timeline.ts"
import type { WorkerId } from "../WorkerId.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

/** The store could not be read or written: nothing was changed, or at least nothing is known to have been. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>("@muster/core/StoreUnavailable")(
  "StoreUnavailable",
  {
    /** For people: what was tried and what the store said. */
    message: Schema.String,
    cause: Schema.optional(Schema.Defect())
  }
) {}

/** What a decision is made upon. */
export interface ReadSet {
  readonly workerIds: ReadonlyArray<WorkerId>
  readonly keys: ReadonlyArray<string>
  /** The epochs of these partitions are read, too; see {@link Sharing}. */
  readonly partitions?: ReadonlyArray<number> | undefined
}

/** What was found of it; what is not known is absent. */
export interface Found {
  readonly records: ReadonlyMap<WorkerId, WorkerRecord>
  readonly notes: ReadonlyMap<string, string>
  /** Of the partitions that were asked for; a store that only one process can use has none. */
  readonly epochs: ReadonlyMap<number, number>
  /** The largest generation among the workers that were forgotten; new ones stay above it. */
  readonly forgottenGeneration: number
}

/** What is remembered under a key, so that the same request twice is one. */
export interface Note {
  /** At most 512 characters. */
  readonly key: string
  readonly value: string
  readonly at: number
}

/** Items that are added to the end of a worker's timeline together. */
export interface TimelineSegment {
  readonly workerId: WorkerId
  /** The number of the last of these items among all that the worker's timeline has had, from 1. */
  readonly last: number
  /** When the last of them happened. */
  readonly at: number
  readonly items: ReadonlyArray<TimelineItem>
}

/** A segment with its place among all of the store; grows with every commit. */
export interface StoredSegment extends TimelineSegment {
  readonly sequence: number
}

/** What is committed, all or nothing. */
export interface Decision<A> {
  /** New records, and those that take the place of others; each worker at most once. */
  readonly records: ReadonlyArray<WorkerRecord>
  /** Of workers that are known, or become so with `records`; anything else is a bug. */
  readonly segments: ReadonlyArray<TimelineSegment>
  /** Segments of these workers whose `last` is at most `upTo` are removed. */
  readonly trims: ReadonlyArray<{ readonly workerId: WorkerId; readonly upTo: number }>
  readonly notes: ReadonlyArray<Note>
  /** Workers were forgotten elsewhere with generations up to this one: the store's is raised to it, never lowered. */
  readonly forgottenGeneration?: number | undefined
  /** What is written down of who asked for it; a store that keeps no audit log leaves it out. */
  readonly audits?: ReadonlyArray<AuditEntry> | undefined
  readonly value: A
}

/** What a listing is narrowed to; a field that is absent or empty narrows nothing. */
export interface ListFilter {
  readonly phases?: ReadonlyArray<Phase> | undefined
  /** What the id has in it, be it in capitals or not. */
  readonly search?: string | undefined
  readonly namespace?: string | undefined
  readonly workerType?: string | undefined
  /** Labels that must all be there with these values. */
  readonly labels?: ReadonlyArray<readonly [name: string, value: string]> | undefined
}

/** In which order workers are looked through; workers for which it is the same in that in which they became known. */
export interface BrowseOrder {
  /** `"known"`: since when they are known. */
  readonly by: "known" | "id" | "updatedAt"
  readonly descending: boolean
}

/** A part of all that match, wherever it begins. */
export interface BrowseWindow {
  readonly order: BrowseOrder
  /** How many of them come before it, an integer ≥ 0. */
  readonly skip: number
  /** The most that are in it, an integer ≥ 1. */
  readonly limit: number
}

/** Fewer than were asked for where they are very large. */
export interface RecordWindow {
  readonly records: ReadonlyArray<WorkerRecord>
  readonly total: number
}

/** One page of a listing. */
export interface RecordPage {
  readonly records: ReadonlyArray<WorkerRecord>
  /** Where the next page begins; absent on the last one. */
  readonly next: number | undefined
  /** All that match, on this page or not. */
  readonly total: number
}

/** A worker about which something is to be done. */
export type DueWorker = Pick<WorkerRecord, "id" | "desired" | "priority" | "task"> & {
  readonly dueAt: number
}

/** A worker as a comparison with the scheduler sees it. */
export type ScannedWorker = Pick<
  WorkerRecord,
  "id" | "desired" | "phase" | "priority" | "generation" | "task" | "registeredAt"
>

/** How many workers have all of this in common. */
export interface WorkerKind {
  readonly phase: Phase
  /** `undefined`, as is `workerType`: all that is known of the worker is that it has to go. */
  readonly namespace: string | undefined
  readonly workerType: string | undefined
  /** At least 1. */
  readonly workers: number
}

/** The numbers that whoever opens a store goes on from. */
export interface StoreOverview {
  readonly phases: ReadonlyMap<Phase, number>
  /** Changes that are unfinished, and the same of each priority, which may be left out where there are none. */
  readonly unfinished: number
  readonly unfinishedOf: ReadonlyMap<Priority, number>
  /** Workers with a lease. */
  readonly leased: number
  /** The latest segment's, kept or not any more; 0 when there has been none. */
  readonly sequence: number
  /** The largest generation among the workers that were forgotten; new ones stay above it. */
  readonly forgottenGeneration: number
}

/** How much is removed in one step. */
export interface ForgetOptions {
  /** Terminated workers that have not changed since are removed. */
  readonly before: number
  /** Of the terminated workers, no more than the latest so many are kept; an integer ≥ 0. */
  readonly keep: number
  /** The most that is removed in this step; an integer ≥ 1. */
  readonly limit: number
}

export class FleetStore extends Context.Service<
  FleetStore,
  {
    /**
     * Reads, decides and commits in one transaction; when it has succeeded, what was decided survives everything. The
     * decision may be asked for more than once, and must depend on nothing but what it is given.
     */
    readonly modify: <A>(
      read: ReadSet,
      decide: (found: Found) => Decision<A>
    ) => Effect.Effect<A, StoreUnavailable>
    /** The records of those that are known, in no particular order. */
    readonly get: (
      workerIds: ReadonlyArray<WorkerId>
    ) => Effect.Effect<ReadonlyArray<WorkerRecord>, StoreUnavailable>
    /**
     * The workers after `after` (0: from the beginning) in the order in which they became known; at most `limit`, and
     * fewer where they are very large. A place stays valid whatever comes and goes between two pages.
     */
    readonly list: (
      filter: ListFilter,
      limit: number,
      after: number
    ) => Effect.Effect<RecordPage, StoreUnavailable>
    /**
     * Any part of a listing in any order, for people who look through it. It costs the more the more there are, and what
     * comes and goes between two calls moves what follows.
     */
    readonly browse: (
      filter: ListFilter,
      window: BrowseWindow
    ) => Effect.Effect<RecordWindow, StoreUnavailable>
    /**
     * Of each lane, the at most `limit` workers that have been due the longest at `now`. Here and below, `partitions`
     * narrows it to the workers of these; a store that only one process can use need not be able to.
     */
    readonly due: (
      now: number,
      limit: number,
      partitions?: ReadonlyArray<number>
    ) => Effect.Effect<ReadonlyArray<DueWorker>, StoreUnavailable>
    /** When the first worker becomes due after `now`, if any does. */
    readonly nextDueAt: (
      now: number,
      partitions?: ReadonlyArray<number>
    ) => Effect.Effect<number | undefined, StoreUnavailable>
    /** Of each priority with unfinished changes, since when the oldest of them is unfinished. */
    readonly oldestUnfinished: Effect.Effect<ReadonlyMap<Priority, number>, StoreUnavailable>
    /** At most `limit` workers whose lease ended at `now` or before, the longest ago first. */
    readonly expired: (
      now: number,
      limit: number,
      partitions?: ReadonlyArray<number>
    ) => Effect.Effect<ReadonlyArray<WorkerId>, StoreUnavailable>
    /** The at most `limit` workers with the next greater ids (`undefined`: the first), by id. */
    readonly scan: (
      after: WorkerId | undefined,
      limit: number
    ) => Effect.Effect<ReadonlyArray<ScannedWorker>, StoreUnavailable>
    /** The segments that are kept of one worker, oldest first. */
    readonly timeline: (workerId: WorkerId) => Effect.Effect<ReadonlyArray<TimelineSegment>, StoreUnavailable>
    /** The at most `limit` segments of all workers after a place, in the order of their commits. */
    readonly segments: (
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredSegment>, StoreUnavailable>
    readonly overview: Effect.Effect<StoreOverview, StoreUnavailable>
    /** The workers that are known, by kind; each kind once. */
    readonly kinds: Effect.Effect<ReadonlyArray<WorkerKind>, StoreUnavailable>
    /** Removes terminated workers with their timelines; how many it removed. 0: there is nothing left to remove. */
    readonly forget: (options: ForgetOptions) => Effect.Effect<number, StoreUnavailable>
    /** Removes segments and notes from before; at most `limit` of each; how many it removed. */
    readonly forgetHistory: (options: {
      readonly segmentsBefore: number
      readonly notesBefore: number
      readonly limit: number
    }) => Effect.Effect<number, StoreUnavailable>
    /** Writes something of no meaning, to see whether the store can be written to. */
    readonly probe: Effect.Effect<void, StoreUnavailable>
  }
>()("@muster/core/FleetStore") {}
