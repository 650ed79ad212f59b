/**
 * What `muster workers --watch` shows of a fleet: a row for each worker that matches, kept in step with its changes. A
 * change tells the phase; the rest of the row is asked for when it is to be shown.
 */
import type { WorkerId } from "@muster/core"
import type { Phase } from "@muster/core/fleet"
import { Order } from "effect"
import type { PhaseChange } from "../client/FollowPhases.ts"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import type { WorkerView } from "../http/Schemas.ts"
import { toRow, type WorkerRow } from "./WorkerRow.ts"

/** Workers of which only a change is known; of more than so many the oldest are let go. */
const mostUnknown = 10_000

export class WatchedFleet {
  private rows = new Map<WorkerId, WorkerRow>()
  /** Rows whose phase is newer than the rest of them. */
  private readonly stale = new Set<WorkerId>()
  private readonly unknown = new Set<WorkerId>()
  private readonly query: WorkerQuery

  constructor(query: WorkerQuery) {
    this.query = query
  }

  get size(): number {
    return this.rows.size
  }

  /** Everything as the service has listed it, in place of what was there. */
  replace(views: Iterable<WorkerView>): void {
    this.rows = new Map()
    this.stale.clear()
    this.unknown.clear()
    for (const view of views) this.update(view)
  }

  /** What the service says of a worker now. */
  update(view: WorkerView): void {
    this.stale.delete(view.id)
    this.unknown.delete(view.id)
    if (matches(this.query, view)) this.rows.set(view.id, toRow(view))
    else this.rows.delete(view.id)
  }

  /** The service does not know the worker any more. */
  forget(id: WorkerId): void {
    this.rows.delete(id)
    this.stale.delete(id)
    this.unknown.delete(id)
  }

  apply({ at, phase, workerId }: PhaseChange): void {
    const { phase: phases } = this.query
    const row = this.rows.get(workerId)
    const updatedAt = Date.parse(at)
    if (row !== undefined && updatedAt < row.updatedAt) return
    if (phases !== undefined && !phases.includes(phase)) return this.forget(workerId)
    if (row !== undefined) {
      this.rows.set(workerId, { ...row, phase, updatedAt })
      this.stale.add(workerId)
      return
    }
    this.unknown.delete(workerId)
    this.unknown.add(workerId)
    for (const oldest of this.unknown) {
      if (this.unknown.size <= mostUnknown) break
      this.unknown.delete(oldest)
    }
  }

  /** The first so many rows in an order. */
  first(most: number, order: Order.Order<WorkerRow>): ReadonlyArray<WorkerRow> {
    const isBefore = Order.isLessThan(order)
    const best: Array<WorkerRow> = []
    for (const row of this.rows.values()) {
      const last = best.at(-1)
      if (best.length >= most && (last === undefined || !isBefore(row, last))) continue
      let at = best.length
      for (let before = best[at - 1]; before !== undefined && isBefore(row, before); before = best[at - 1])
        at--
      best.splice(at, 0, row)
      if (best.length > most) best.pop()
    }
    return best
  }

  /** The workers to ask for: those of these rows that are not up to date, and the latest that are not known. */
  wanted(rows: ReadonlyArray<WorkerRow>, most: number): ReadonlyArray<WorkerId> {
    const stale = rows.filter(({ id }) => this.stale.has(id)).map(({ id }) => id)
    return stale.concat(Array.from(this.unknown).slice(-most)).slice(0, most)
  }

  count(): ReadonlyMap<Phase, number> {
    const counts = new Map<Phase, number>()
    for (const { phase } of this.rows.values()) counts.set(phase, (counts.get(phase) ?? 0) + 1)
    return counts
  }
}

/** Whether a worker is one of those that a query asks for. */
export const matches = (
  { label = [], namespace, phase: phases, workerType }: WorkerQuery,
  { phase, worker }: WorkerView
): boolean => {
  if (phases !== undefined && !phases.includes(phase)) return false
  if (namespace !== undefined && worker?.metadata.namespace !== namespace) return false
  if (workerType !== undefined && worker?.metadata.workerType !== workerType) return false
  return label.every((pair) => {
    const at = pair.indexOf("=")
    const labels = worker?.metadata.labels ?? {}
    const name = pair.slice(0, at)
    return Object.hasOwn(labels, name) && labels[name] === pair.slice(at + 1)
  })
}
