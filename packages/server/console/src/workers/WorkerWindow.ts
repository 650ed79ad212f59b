/**
 * The part of a long list of workers that is looked at. Pages are asked for as they come into sight, those that have
 * left it are not waited for, and what changes is asked for again, however much it is, no more than twice a second.
 */
import { call, type Problem, toProblem, type WorkerQuery, type WorkerStatus } from "../api.ts"
import type { EventBatch } from "../live.ts"

const pageSize = 100
/** Pages that are kept; further ones are forgotten, the farthest from what is looked at first. */
const mostPages = 60
/** Pages that one question asks for at most. */
const pagesAtOnce = 10
/** Milliseconds between two questions for what has changed. */
const distance = 500
/** Milliseconds for which a place is looked at before it is asked for: less is passing by. */
const glance = 60
/** Milliseconds until a question that was not answered is asked again. */
const patience = 2000

interface Page {
  readonly items: ReadonlyArray<WorkerStatus>
  readonly isOld: boolean
}

export class WorkerWindow {
  total: number | undefined
  problem: Problem | undefined
  private readonly query: WorkerQuery
  private readonly onChange: () => void
  private readonly pages = new Map<number, Page>()
  private readonly asked = new Map<number, AbortController>()
  private first = 0
  private last = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private askedAt = -Infinity
  /** How often what is known became old: an answer that was on its way meanwhile is old when it comes. */
  private changes = 0
  private isClosed = false

  constructor(query: WorkerQuery, onChange: () => void) {
    this.query = query
    this.onChange = onChange
    void this.ask([0])
  }

  row(index: number): WorkerStatus | undefined {
    return this.pages.get(Math.floor(index / pageSize))?.items[index % pageSize]
  }

  /** The rows from `first` to `last` are in sight. */
  look(first: number, last: number): void {
    this.first = Math.floor(first / pageSize)
    this.last = Math.floor(last / pageSize)
    for (const [page, controller] of this.asked) {
      if (page < this.first || page > this.last) controller.abort()
    }
    if (this.missing.length > 0) this.schedule(glance)
  }

  /** Shows at once what is told, and asks for the rest: what is in the list, and where, may be another now. */
  change(events: EventBatch): void {
    for (let page = this.first; page <= this.last; page++) {
      const known = this.pages.get(page)
      if (known === undefined) continue
      this.pages.set(page, { isOld: true, items: known.items.map((row) => apply(row, events)) })
    }
    this.refresh()
    this.onChange()
  }

  refresh(): void {
    this.changes++
    for (const [page, { items }] of this.pages) this.pages.set(page, { items, isOld: true })
    this.schedule(Math.max(glance, this.askedAt + distance - performance.now()))
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    for (const controller of this.asked.values()) controller.abort()
  }

  private schedule(millis: number): void {
    if (this.isClosed) return
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      void this.ask(this.missing.slice(0, pagesAtOnce))
    }, millis)
  }

  private get missing(): ReadonlyArray<number> {
    return Array.from({ length: this.last - this.first + 1 }, (_, i) => this.first + i).filter(
      (page) => !this.asked.has(page) && (this.pages.get(page)?.isOld ?? true)
    )
  }

  /** Asks for pages in one question, and for those between them. */
  private async ask(missing: ReadonlyArray<number>): Promise<void> {
    const [from] = missing
    if (from === undefined) return
    const controller = new AbortController()
    const { signal } = controller
    const pages = Array.from({ length: (missing.at(-1) ?? from) - from + 1 }, (_, i) => from + i)
    for (const page of pages) this.asked.set(page, controller)
    this.askedAt = performance.now()
    const { changes } = this
    try {
      const { items, total } = await call("GET", "/v1/workers", {
        query: { ...this.query, offset: from * pageSize, limit: pages.length * pageSize },
        signal
      })
      this.take(pages, items, total, this.changes !== changes)
    } catch (error) {
      if (!signal.aborted) this.problem = toProblem(error)
    }
    for (const page of pages) {
      if (this.asked.get(page) === controller) this.asked.delete(page)
    }
    if (this.isClosed) return
    if (this.missing.length > 0) this.schedule(this.problem === undefined ? distance : patience)
    this.onChange()
  }

  private take(
    pages: ReadonlyArray<number>,
    items: ReadonlyArray<WorkerStatus>,
    total: number,
    isOld: boolean
  ): void {
    this.total = total
    this.problem = undefined
    for (const [i, page] of pages.entries()) {
      const rows = items.slice(i * pageSize, (i + 1) * pageSize)
      // An answer ends early where its workers are very large; what is missing of it is asked for next.
      const isCut = i > 0 && rows.length === 0 && page * pageSize < total
      if (!isCut) this.pages.set(page, { items: rows, isOld })
    }
    const middle = (this.first + this.last) / 2
    const farthest = Array.from(this.pages.keys()).toSorted(
      (a, b) => Math.abs(b - middle) - Math.abs(a - middle)
    )
    for (const page of farthest.slice(0, Math.max(0, this.pages.size - mostPages))) this.pages.delete(page)
  }
}

const apply = (row: WorkerStatus, events: EventBatch): WorkerStatus => {
  const event = events.get(row.id)
  if (event === undefined || event.generation < row.generation) return row
  const { at, generation, nextAttemptAt, phase } = event
  return { ...row, generation, phase, nextAttemptAt, updatedAt: at }
}
