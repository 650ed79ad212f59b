/**
 * What became of every row, counted: constant memory, however many rows there are.
 */
import type { RegistrationError } from "@muster/core"
import type { Duration } from "effect"
import type { FleetRow, Position } from "../fleetfile/FleetRow.ts"
import { DurationHistogram } from "./DurationHistogram.ts"

/** Why a row has not become a registered worker. */
export interface Failure {
  readonly workerId: string
  /** The tag of the error, such as `InvalidWorker`. */
  readonly type: string
  readonly message: string
  /** Whether the same row can succeed later. */
  readonly retryable: boolean
}

export type Outcome =
  | { readonly _tag: "Registered"; readonly attempts: number; readonly duration: Duration.Duration }
  /** A service has taken it and will register it. */
  | { readonly _tag: "Accepted" }
  /** A newer state of the worker has won; nothing needs to be done. */
  | { readonly _tag: "Superseded" }
  | { readonly _tag: "Failed"; readonly failure: Failure; readonly attempts: number }

/** A row that failed, as the summary shows it. */
export type ListedFailure = Failure & Position

/** How many failures the summary shows one by one. */
const mostListed = 20

export class Tally {
  registered = 0
  accepted = 0
  superseded = 0
  failed = 0
  /** Attempts after the first, of all rows. */
  retries = 0
  readonly failuresByType = new Map<string, number>()
  readonly listedFailures: Array<ListedFailure> = []
  readonly durations = new DurationHistogram()

  get settled(): number {
    return this.registered + this.accepted + this.superseded + this.failed
  }

  count(row: FleetRow, outcome: Outcome): void {
    switch (outcome._tag) {
      case "Registered":
        this.registered++
        this.retries += outcome.attempts - 1
        this.durations.record(outcome.duration)
        return
      case "Accepted":
        this.accepted++
        return
      case "Superseded":
        this.superseded++
        return
      case "Failed": {
        const { attempts, failure } = outcome
        this.failed++
        this.retries += Math.max(0, attempts - 1)
        this.failuresByType.set(failure.type, (this.failuresByType.get(failure.type) ?? 0) + 1)
        if (this.listedFailures.length < mostListed) {
          this.listedFailures.push({ ...failure, entry: row.entry, line: row.line })
        }
      }
    }
  }
}

/** How a registration that did not succeed counts. */
export const fromError = (error: RegistrationError): Outcome =>
  error._tag === "Unexpected" && error.superseded
    ? { _tag: "Superseded" }
    : {
        _tag: "Failed",
        attempts: error.attempts,
        failure: {
          workerId: error.workerId,
          type: error._tag,
          message: error.message,
          retryable: error.retryable
        }
      }
