/**
 * The workers that can be called for now: a bounded part of those that are due in the store. Each lane (see
 * {@link laneOf}) is first in, first out, and takes nothing new while there are older ones in the store that did not
 * fit.
 *
 * Between lanes the head goes first whose time plus the patience of its priority is the smallest: a critical worker
 * passes a normal one that became due within the last minute, and none that has waited longer. So urgent ones go
 * first, and under constant load the others still move. Registrations and unregistrations take turns.
 */
import type { WorkerId } from "../WorkerId.ts"
import type { DueWorker } from "./FleetStore.ts"
import { laneOf, lanes, type WorkerRecord } from "./WorkerRecord.ts"

/** How much longer each priority waits than a critical one would, in milliseconds. */
const patience = [0, 10_000, 60_000, 300_000] as const

/** The most workers that a lane holds. */
export const laneCapacity = 1024

interface Ticket {
  readonly record: WorkerRecord
  readonly lane: number
}

interface Lane {
  /** A ticket that is not the one of its worker any more is skipped. */
  tickets: Array<Ticket>
  /** How many of the tickets are taken. */
  taken: number
  /** There may be due workers in the store that are not in the lane. */
  hasMore: boolean
  /** Something that was due did not fit, or came while the store was read, or may have. */
  refused: boolean
}

export class ReadyQueue {
  private readonly lanes: ReadonlyArray<Lane>
  private readonly current = new Map<WorkerId, Ticket>()
  private unregistrationsNext = false

  constructor() {
    this.lanes = Array.from({ length: lanes }, () => ({
      tickets: [],
      taken: 0,
      hasMore: true,
      refused: false
    }))
  }

  get size(): number {
    return this.current.size
  }

  has(id: WorkerId): boolean {
    return this.current.has(id)
  }

  /** Adds a worker that is due, or puts its newer record in the place of the older one. */
  offer(record: WorkerRecord): void {
    const number = laneOf(record)
    const lane = this.lanes[number]
    if (lane === undefined) return
    if (lane.hasMore || lane.tickets.length - lane.taken >= laneCapacity) {
      lane.hasMore = true
      lane.refused = true
      this.current.delete(record.id)
      return
    }
    this.add(lane, { record, lane: number })
  }

  /** A queued worker has changed: it stays where it was in its lane, or moves to the end of another. */
  update(record: WorkerRecord): void {
    const ticket = this.current.get(record.id)
    if (ticket === undefined) return
    const lane = this.lanes[ticket.lane]
    if (lane !== undefined && laneOf(record) === ticket.lane) {
      const place = lane.tickets.indexOf(ticket, lane.taken)
      const newer = { record, lane: ticket.lane }
      lane.tickets[place] = newer
      this.current.set(record.id, newer)
      return
    }
    this.current.delete(record.id)
    this.offer(record)
  }

  remove(id: WorkerId): void {
    this.current.delete(id)
  }

  removeAll(isGone: (id: WorkerId) => boolean): void {
    for (const id of this.current.keys()) if (isGone(id)) this.current.delete(id)
  }

  take(): WorkerRecord | undefined {
    const first = this.unregistrationsNext ? this.best(4, 8) : this.best(0, 4)
    const lane = first ?? (this.unregistrationsNext ? this.best(0, 4) : this.best(4, 8))
    this.unregistrationsNext = !this.unregistrationsNext
    const ticket = lane?.tickets[lane.taken]
    if (lane === undefined || ticket === undefined) return undefined
    lane.taken++
    if (lane.taken * 2 > lane.tickets.length) {
      lane.tickets = lane.tickets.slice(lane.taken)
      lane.taken = 0
    }
    this.current.delete(ticket.record.id)
    return ticket.record
  }

  /** Whether the store should be asked for more. */
  get isHungry(): boolean {
    return this.lanes.some(
      ({ hasMore, taken, tickets }) => hasMore && tickets.length - taken <= laneCapacity / 4
    )
  }

  /** Whether there may be due workers that are only in the store. */
  get hasMore(): boolean {
    return this.lanes.some(({ hasMore }) => hasMore)
  }

  /** Something in the store has become due. */
  expectMore(): void {
    for (const lane of this.lanes) {
      lane.hasMore = true
      lane.refused = true
    }
  }

  beginRefill(): void {
    for (const lane of this.lanes) lane.refused = false
  }

  /**
   * Takes in what the store has found due, in the order in which it is given. `found`: what it was asked for at most
   * for each lane, by which it is known whether there is more.
   */
  endRefill(due: ReadonlyArray<DueWorker>, records: ReadonlyArray<WorkerRecord>, limit: number): void {
    const found = this.lanes.map(() => 0)
    for (const worker of due) {
      const lane = laneOf(worker)
      found[lane] = (found[lane] ?? 0) + 1
    }
    this.lanes.forEach((lane, number) => {
      lane.hasMore = lane.refused || (found[number] ?? 0) >= limit
    })
    for (const record of records) {
      const number = laneOf(record)
      const lane = this.lanes[number]
      if (lane === undefined || this.current.has(record.id)) continue
      if (lane.tickets.length - lane.taken >= laneCapacity) lane.hasMore = true
      else this.add(lane, { record, lane: number })
    }
  }

  private add(lane: Lane, ticket: Ticket): void {
    lane.tickets.push(ticket)
    this.current.set(ticket.record.id, ticket)
  }

  private best(from: number, to: number): Lane | undefined {
    let best: Lane | undefined
    let least = Infinity
    for (let number = from; number < to; number++) {
      const lane = this.lanes[number]
      const head = lane === undefined ? undefined : this.head(lane)
      if (head === undefined) continue
      const key = (head.record.dueAt ?? 0) + (patience[number % 4] ?? 0)
      if (key >= least) continue
      least = key
      best = lane
    }
    return best
  }

  /** The first ticket that counts; those before it that do not are thrown away. */
  private head(lane: Lane): Ticket | undefined {
    while (lane.taken < lane.tickets.length) {
      const ticket = lane.tickets[lane.taken]
      if (ticket !== undefined && this.current.get(ticket.record.id) === ticket) return ticket
      lane.taken++
    }
    lane.tickets = []
    lane.taken = 0
    return undefined
  }
}
