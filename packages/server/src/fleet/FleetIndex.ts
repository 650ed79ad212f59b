/**
 * The entries of the fleet by id and in the order in which they became known, so that a page of a listing costs a
 * binary search and a walk from there, and a cursor stays valid whatever comes and goes between two pages.
 */
import type { WorkerId } from "@muster/core"
import { type Desired, Entry } from "./FleetEntry.ts"
import type { Phase } from "./Phase.ts"
import { PageBudget } from "./PageBudget.ts"

/** What a listing is narrowed to; a field that is absent narrows nothing. */
export interface ListFilter {
  readonly phases?: ReadonlyArray<Phase> | undefined
  readonly namespace?: string | undefined
  readonly workerType?: string | undefined
  /** Labels that must all be there with these values. */
  readonly labels?: ReadonlyArray<readonly [name: string, value: string]> | undefined
}

/** One page. `next` is the ordinal after which the next page begins; absent on the last one. */
export interface EntryPage {
  readonly entries: ReadonlyArray<Entry>
  readonly next: number | undefined
  /** All that match, on this page or not. */
  readonly total: number
}

export class FleetIndex {
  private readonly byId = new Map<WorkerId, Entry>()
  private ordered: Array<Entry> = []
  private ordinal = 0
  private removed = 0

  get size(): number {
    return this.byId.size
  }

  get(id: WorkerId): Entry | undefined {
    return this.byId.get(id)
  }

  add(id: WorkerId, desired: Desired, now: number): Entry {
    const entry = new Entry(id, ++this.ordinal, desired, now)
    this.byId.set(id, entry)
    this.ordered.push(entry)
    return entry
  }

  remove(entry: Entry): void {
    this.byId.delete(entry.id)
    // Removed entries stay in the order until they are half of it, so that removal costs constant time.
    if (++this.removed * 2 < this.ordered.length) return
    this.ordered = this.ordered.filter((entry) => this.holds(entry))
    this.removed = 0
  }

  /** The entries after the ordinal `after` that match, at most `limit`, fewer where they are very large. */
  list(filter: ListFilter, limit: number, after: number): EntryPage {
    const matches = predicate(filter)
    const budget = new PageBudget(limit)
    const entries: Array<Entry> = []
    let next: number | undefined
    for (let at = this.firstAfter(after); at < this.ordered.length; at++) {
      const entry = this.ordered[at]
      if (entry === undefined || !this.holds(entry) || (matches !== undefined && !matches(entry))) continue
      if (!budget.take(entry.worker)) {
        next = entries.at(-1)?.ordinal
        break
      }
      entries.push(entry)
    }
    return { entries, next, total: matches === undefined ? this.size : this.count(matches) }
  }

  /** All entries that match, in no particular order. */
  select(filter: ListFilter): ReadonlyArray<Entry> {
    const matches = predicate(filter)
    const all = Array.from(this.byId.values())
    return matches === undefined ? all : all.filter(matches)
  }

  private count(matches: (entry: Entry) => boolean): number {
    let total = 0
    for (const entry of this.byId.values()) if (matches(entry)) total++
    return total
  }

  private holds(entry: Entry): boolean {
    return this.byId.get(entry.id) === entry
  }

  private firstAfter(ordinal: number): number {
    let low = 0
    let high = this.ordered.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.ordered[middle]?.ordinal ?? 0) <= ordinal) low = middle + 1
      else high = middle
    }
    return low
  }
}

const predicate = (filter: ListFilter): ((entry: Entry) => boolean) | undefined => {
  const { labels = [], namespace, phases = [], workerType } = filter
  const onMetadata = namespace !== undefined || workerType !== undefined || labels.length > 0
  if (!onMetadata && phases.length === 0) return undefined
  const wanted = new Set<Phase>(phases)
  return ({ phase, worker }) => {
    if (wanted.size > 0 && !wanted.has(phase)) return false
    if (!onMetadata) return true
    if (worker === undefined) return false
    const { metadata } = worker
    return (
      (namespace === undefined || metadata.namespace === namespace) &&
      (workerType === undefined || metadata.workerType === workerType) &&
      labels.every(([name, value]) => Object.hasOwn(metadata.labels, name) && metadata.labels[name] === value)
    )
  }
}
