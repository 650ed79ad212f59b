/**
 * Whether the calls for one worker were made one after another, and never for an older state of it than one before: by
 * the scheduler's own journal, whoever made them.
 *
 * A call is under way from the moment when the scheduler begins with it until it has answered, or its sender has given
 * it up. One that was given up before the scheduler came to it never is. Two calls for one worker that are under way at
 * the same time, and one that is begun after another of a newer generation, are wrong. There is one excuse, for what no
 * sender can help: its process was killed, or was stopped long enough to have lost what it looked after, while the call
 * was on its way or under way. So whoever wakes up may still finish what it had sent before; what it sends afterwards
 * is not excused.
 */
import { Effect, Stream } from "effect"
import { callKey } from "./GivenUp.ts"
import { type JournalEntry, readJournal } from "./Journal.ts"
import type { Life } from "./ManagedProcess.ts"
import type { Sender } from "./SchedulerProtocol.ts"

/** A call that changes a worker, as the scheduler saw it. */
export interface RecordedCall {
  readonly id: string
  readonly call: string
  readonly generation: number
  readonly from: Sender
  /** Which line of the journal, and when. */
  readonly begin: { readonly line: number; readonly at: number }
  /** Absent where the scheduler's process ended first; `left`: the caller's connection was gone. */
  end: { readonly line: number; readonly at: number; readonly how: "answered" | "left" } | undefined
  /** The end of the scheduler's process, where that came before the call's own. */
  cutShort: { readonly line: number; readonly at: number } | undefined
  /** When its sender stopped to wait for it, by the sender's own account. */
  readonly givenUpAt: number | undefined
}

export interface CallOrder {
  readonly calls: number
  /** What is wrong, for people, and of which worker. */
  readonly faults: ReadonlyArray<{ readonly id: string; readonly what: string }>
  /** Pairs of calls that are only excused because a sender was killed, and because one was stopped. */
  readonly excusedByKill: number
  readonly excusedByStop: number
  /** Calls that the scheduler began with after their sender had given them up. */
  readonly givenUpBefore: number
}

/** Milliseconds until the scheduler has surely seen that somebody left, also where it was stopped for a while. */
const leaveWithin = 5000

export interface Fates {
  /** Of every process that has made calls. */
  readonly lives: ReadonlyArray<Life>
  /** Milliseconds for which a process can be stopped without losing anything. */
  readonly harmlessStop: number
}

/** Reads who called when from the journal and from what the senders wrote down. */
export const readCalls = (journal: string, givenUp: ReadonlyMap<string, number>) =>
  Effect.suspend(() => {
    const calls: Array<RecordedCall> = []
    const open = new Map<number, RecordedCall>()
    let line = 0
    const add = (entry: JournalEntry) => {
      const moment = { line: ++line, at: entry.at }
      switch (entry.entry) {
        case "call": {
          const { call, from, generation, id, number } = entry
          if (from === undefined || id === undefined || generation === undefined) return
          const givenUpAt = givenUp.get(callKey(from))
          const begun: RecordedCall = {
            id,
            call,
            generation,
            from,
            begin: moment,
            givenUpAt,
            end: undefined,
            cutShort: undefined
          }
          calls.push(begun)
          open.set(number, begun)
          return
        }
        case "end": {
          const ended = open.get(entry.number)
          if (ended !== undefined) ended.end = { ...moment, how: entry.how }
          open.delete(entry.number)
          return
        }
        case "started":
          for (const call of open.values()) call.cutShort = moment
          open.clear()
      }
    }
    return Effect.as(
      Stream.runForEach(readJournal(journal), (entry) => Effect.sync(() => add(entry))),
      calls
    )
  })

/** Judges calls in the order in which the scheduler began with them. */
export const judgeCalls = (calls: ReadonlyArray<RecordedCall>, fates: Fates): CallOrder => {
  const judge = new Judge(fates)
  for (const call of calls) judge.add(call)
  judge.blameEndless(calls)
  return judge
}

class Judge implements CallOrder {
  calls = 0
  readonly faults: Array<{ readonly id: string; readonly what: string }> = []
  excusedByKill = 0
  excusedByStop = 0
  givenUpBefore = 0
  private readonly lives: ReadonlyMap<number, Life>
  private readonly harmlessStop: number
  private readonly workers = new Map<string, { open: Array<RecordedCall>; newest: RecordedCall }>()

  constructor({ harmlessStop, lives }: Fates) {
    this.lives = new Map(lives.map((life) => [life.pid, life]))
    this.harmlessStop = harmlessStop
  }

  add(call: RecordedCall): void {
    this.calls++
    if (call.givenUpAt !== undefined && call.givenUpAt <= call.begin.at) {
      this.givenUpBefore++
      return
    }
    const worker = this.workers.get(call.id)
    if (worker === undefined) {
      this.workers.set(call.id, { open: [call], newest: call })
      return
    }
    worker.open = worker.open.filter((earlier) => !isOverBefore(earlier, call))
    for (const earlier of worker.open) {
      if (!this.isExcused(earlier, call) && !this.isExcused(call, earlier)) {
        this.blame(call, "begun while another was under way", earlier)
      }
    }
    worker.open.push(call)
    if (call.generation >= worker.newest.generation) worker.newest = call
    else if (!this.isExcused(call, worker.newest)) {
      this.blame(call, "begun after one of a newer generation", worker.newest)
    }
  }

  /** Whoever is killed or gives up leaves, and the scheduler sees that, whatever it does with the call. */
  blameEndless(calls: ReadonlyArray<RecordedCall>): void {
    const lastAt = calls.reduce((last, { begin }) => Math.max(last, begin.at), 0)
    for (const call of calls) {
      if (call.end !== undefined || call.cutShort !== undefined) continue
      const leftAt = Math.min(call.givenUpAt ?? Infinity, this.lives.get(call.from.pid)?.killedAt ?? Infinity)
      if (leftAt + leaveWithin < lastAt) {
        this.faults.push({ id: call.id, what: `${shown(call)}, never seen to end` })
      }
    }
  }

  /** Whether the sender of `call` was prevented from knowing of `other`. */
  private isExcused(call: RecordedCall, other: RecordedCall): boolean {
    const life = this.lives.get(call.from.pid)
    if (life === undefined || call.from.pid === other.from.pid) return false
    const endAt = Math.min((call.end ?? call.cutShort)?.at ?? Infinity, call.givenUpAt ?? Infinity)
    const { killedAt } = life
    if (killedAt !== undefined && killedAt <= Math.min(endAt, other.begin.at)) {
      this.excusedByKill++
      return true
    }
    const stop = life.stops.find(
      ({ from, to }) => call.from.sentAt < to && from <= endAt && from + this.harmlessStop <= other.begin.at
    )
    if (stop !== undefined) this.excusedByStop++
    return stop !== undefined
  }

  private blame(call: RecordedCall, what: string, other: RecordedCall): void {
    this.faults.push({ id: call.id, what: `${shown(call)}, ${what}: ${shown(other)}` })
  }
}

/** Whether the scheduler had answered a call, or its sender had given it up, when it began with another. */
const isOverBefore = ({ cutShort, end, givenUpAt }: RecordedCall, { begin }: RecordedCall): boolean =>
  (end ?? cutShort ?? { line: Infinity }).line < begin.line || (givenUpAt ?? Infinity) <= begin.at

const shown = ({ begin, call, cutShort, end, from, generation, givenUpAt }: RecordedCall): string =>
  [
    `${call} of generation ${generation} by process ${from.pid}, call ${from.call}, sent at ${from.sentAt}, begun at ${begin.at}`,
    ...(end === undefined ? [] : [`${end.how} at ${end.at}`]),
    ...(cutShort === undefined ? [] : [`cut short before ${cutShort.at}`]),
    ...(givenUpAt === undefined ? [] : [`given up at ${givenUpAt}`])
  ].join(", ")
