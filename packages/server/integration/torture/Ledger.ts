/**
 * What the client of the torture test did and was told: for each worker what is known of it, and how that came to be.
 */
import type { WorkerId } from "@muster/core"
import { type Answer, type Change, Knowledge } from "./Knowledge.ts"

export interface LedgerEntry {
  readonly at: number
  /** Which request it was, and how it was sent. */
  readonly request: string
  readonly change: Change
  readonly answer: Answer
}

export interface LedgerCounts {
  /** Changes that were acknowledged, and those whose answer was lost. */
  acknowledged: number
  unknown: number
  /** Changes that were refused with reason: of workers that are not known, or gone. */
  refused: number
  requests: number
  /** Requests that had been answered, and were answered in the same way when they came again. */
  echoes: number
}

const entriesKept = 40

class Account {
  knowledge = Knowledge.none
  readonly entries: Array<LedgerEntry> = []
}

export class Ledger {
  readonly counts: LedgerCounts = { acknowledged: 0, unknown: 0, refused: 0, requests: 0, echoes: 0 }
  /** Workers whose answers contradict each other. */
  readonly contradictions = new Set<WorkerId>()
  /** Answers that no request should get. */
  readonly unexpected: Array<string> = []
  private readonly accounts = new Map<WorkerId, Account>()

  get workers(): Iterable<WorkerId> {
    return this.accounts.keys()
  }

  knowledge(id: WorkerId): Knowledge {
    return this.accounts.get(id)?.knowledge ?? Knowledge.none
  }

  entries(id: WorkerId): ReadonlyArray<LedgerEntry> {
    return this.accounts.get(id)?.entries ?? []
  }

  /** A change of a worker, of which `before` was known, got an answer. */
  note(id: WorkerId, before: Knowledge, entry: LedgerEntry): void {
    let account = this.accounts.get(id)
    if (account === undefined) this.accounts.set(id, (account = new Account()))
    account.entries.push(entry)
    if (account.entries.length > entriesKept) account.entries.shift()
    account.knowledge = before.after(entry.change, entry.answer)
    if (account.knowledge.states.length === 0) this.contradictions.add(id)
    this.count(entry.answer)
  }

  private count(answer: Answer): void {
    switch (answer.name) {
      case "accepted":
      case "repeated":
        this.counts.acknowledged++
        break
      case "none":
        this.counts.unknown++
        break
      default:
        this.counts.refused++
    }
  }
}
