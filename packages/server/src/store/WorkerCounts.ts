/**
 * How many workers there are of each kind. Kept with every change, in the same transaction, so that an overview and
 * the total of a listing cost the same with a million workers as with ten.
 */
import { isUnfinished, type ListFilter, type Phase, type Priority, type WorkerKind } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import type { Columns, StoreDatabase } from "./StoreDatabase.ts"
import type { KeptRecord } from "./WorkerRows.ts"

const columns: Columns = [
  ["phase", "text"],
  ["namespace", "text"],
  ["worker_type", "text"],
  ["priority", "text"],
  ["workers", "number"],
  ["unfinished", "number"],
  ["leased", "number"]
]
const kindKey = ["phase", "namespace", "worker_type", "priority"]

interface PhaseCount {
  readonly phase: Phase
  readonly workers: number
  readonly leased: number
}

interface KindCount {
  readonly phase: Phase
  readonly namespace: string
  readonly worker_type: string
  readonly workers: number
}

interface UnfinishedCount {
  readonly priority: Priority
  readonly unfinished: number
}

/** By how much the numbers of one kind change. */
class Change {
  workers = 0
  unfinished = 0
  leased = 0
  readonly kind: readonly [phase: string, namespace: string, workerType: string, priority: string]

  constructor(kind: Change["kind"]) {
    this.kind = kind
  }

  add(by: 1 | -1, isUnfinished: boolean, isLeased: boolean): void {
    this.workers += by
    if (isUnfinished) this.unfinished += by
    if (isLeased) this.leased += by
  }

  get isNothing(): boolean {
    return this.workers === 0 && this.unfinished === 0 && this.leased === 0
  }
}

/** What a transaction changes of the numbers. */
export class CountChanges {
  private readonly changes = new Map<string, Change>()

  add(kept: KeptRecord, by: 1 | -1): void {
    const { record } = kept
    // A worker of which nothing is known is in the namespace "", where no other is.
    const kind = [record.phase, kept.namespace ?? "", kept.workerType ?? "", record.priority] as const
    const key = kind.join("\0")
    let change = this.changes.get(key)
    if (change === undefined) {
      change = new Change(kind)
      this.changes.set(key, change)
    }
    change.add(by, isUnfinished(record), record.leaseExpiresAt !== undefined)
  }

  /** In the order of their kinds: those who change the same ones must not meet in different orders. */
  rows(stripe: number | undefined) {
    return Array.from(this.changes)
      .filter(([, change]) => !change.isNothing)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([, { kind, leased, unfinished, workers }]) => [
        ...kind,
        workers,
        unfinished,
        leased,
        ...(stripe === undefined ? [] : [stripe])
      ])
  }
}

export const makeWorkerCounts = ({ isOneOf, sql, stripe, upsert }: StoreDatabase) => {
  const isStriped = stripe !== undefined
  const stripedColumns: Columns = isStriped ? [...columns, ["stripe", "number"]] : columns
  const add = upsert("muster_count", stripedColumns, isStriped ? [...kindKey, "stripe"] : kindKey, {
    workers: "muster_count.workers + excluded.workers",
    unfinished: "muster_count.unfinished + excluded.unfinished",
    leased: "muster_count.leased + excluded.leased"
  })

  return {
    change: (changes: CountChanges) => add(changes.rows(stripe)),
    byPhase: sql<PhaseCount>`SELECT phase, sum(workers) AS workers, sum(leased) AS leased
      FROM muster_count GROUP BY phase HAVING sum(workers) > 0`,
    kinds: Effect.map(
      sql<KindCount>`SELECT phase, namespace, worker_type, sum(workers) AS workers FROM muster_count
        GROUP BY phase, namespace, worker_type HAVING sum(workers) > 0`,
      (rows) =>
        rows.map(({ namespace, phase, worker_type, workers }): WorkerKind => ({
          phase,
          namespace: namespace === "" ? undefined : namespace,
          workerType: worker_type === "" ? undefined : worker_type,
          workers
        }))
    ),
    unfinished: sql<UnfinishedCount>`SELECT priority, sum(unfinished) AS unfinished
      FROM muster_count GROUP BY priority HAVING sum(unfinished) > 0`,
    /** How many match a filter; of its labels nothing is known here. */
    total: ({ namespace, phases = [], workerType }: ListFilter): Effect.Effect<number, SqlError.SqlError> => {
      const conditions = [
        ...(phases.length === 0 ? [] : [isOneOf("phase", phases)]),
        ...(namespace === undefined ? [] : [sql`namespace = ${namespace}`]),
        ...(workerType === undefined ? [] : [sql`worker_type = ${workerType}`])
      ]
      return Effect.map(
        sql<{ total: number | null }>`SELECT sum(workers) AS total FROM muster_count
          WHERE ${sql.and(conditions)}`,
        ([row]) => row?.total ?? 0
      )
    },
    /** Kinds that there are none of any more; those of others are theirs to drop. */
    dropEmpty: Effect.asVoid(
      isStriped
        ? sql`DELETE FROM muster_count
            WHERE stripe = ${stripe} AND workers = 0 AND unfinished = 0 AND leased = 0`
        : sql`DELETE FROM muster_count WHERE workers = 0`
    )
  }
}
