/**
 * What is written down of who did what: one entry for each request, or for each part of one that was committed
 * together.
 */
import type { WorkerId } from "../WorkerId.ts"
import type { Actor } from "./Actor.ts"

/** What an actor did to workers. */
export type WorkerAction =
  | "worker.register"
  | "worker.unregister"
  | "worker.ready"
  | "worker.check"
  | "worker.retry"
  | "worker.import"
  | "dead-letter.retry"
  | "dead-letter.drop"

export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly actor: Pick<Actor, "id" | "name" | "role" | "address">
  readonly action: string
  readonly outcome: "done" | "refused"
  /** The workers it was done to, with the generation that each has since; the latter is absent where none is known. */
  readonly workers: ReadonlyArray<{ readonly id: string; readonly generation?: number | undefined }>
  /** What else there is to say, in words; never a secret. */
  readonly detail?: string | undefined
}

/** The entries of a transaction: what one actor did in the same way to several workers is one. */
export class AuditEntries {
  private readonly entries: Array<AuditEntry & { readonly workers: Array<AuditEntry["workers"][number]> }> =
    []
  private latest: Actor | undefined

  add(
    at: number,
    actor: Actor,
    action: string,
    outcome: AuditEntry["outcome"],
    worker: { readonly id: WorkerId; readonly generation?: number | undefined } | undefined,
    detail?: string
  ): void {
    const last = this.entries.at(-1)
    const worthTelling = worker === undefined ? [] : [{ id: worker.id, generation: worker.generation }]
    const isSame =
      last !== undefined &&
      this.latest === actor &&
      last.action === action &&
      last.outcome === outcome &&
      last.detail === detail
    if (isSame) {
      last.workers.push(...worthTelling)
      return
    }
    const { address, id, name, role } = actor
    this.latest = actor
    this.entries.push({
      at,
      actor: { id, name, role, address },
      action,
      outcome,
      workers: worthTelling,
      detail
    })
  }

  get all(): ReadonlyArray<AuditEntry> {
    return this.entries
  }
}
