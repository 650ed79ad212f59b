/**
 * The books of one `register` command: which rows were read, which are under way, and what became of the others.
 * Every row that is admitted is settled exactly once, or is still in `underWay`.
 */
import type { Worker } from "@muster/core"
import { Effect } from "effect"
import { decode, type FleetRow } from "../fleetfile/FleetRow.ts"
import type { Report, ReportError } from "./Report.ts"
import { fromError, type Outcome, Tally } from "./Tally.ts"

/** A row whose worker was decoded and whose outcome is not known yet. */
export interface Admitted {
  readonly row: FleetRow
  readonly worker: Worker
}

export class Ledger {
  readonly tally = new Tally()
  private readonly report: Report | undefined
  private readonly rows = new Set<FleetRow>()
  /** Rows read so far. */
  read = 0
  /** Whether the last row has been read. */
  isComplete = false

  constructor(report: Report | undefined) {
    this.report = report
  }

  /** Rows that were read and have no outcome yet, in file order. */
  get underWay(): ReadonlyArray<FleetRow> {
    return Array.from(this.rows)
  }

  /** Takes a row in. One that has no valid worker is settled at once, and `undefined` is returned. */
  admit(row: FleetRow): Effect.Effect<Admitted | undefined, ReportError> {
    return Effect.suspend(() => {
      this.read++
      this.rows.add(row)
      return Effect.matchEffect(decode(row), {
        onFailure: (error) => Effect.as(this.settle(row, fromError(error)), undefined),
        onSuccess: (worker) => Effect.succeed({ row, worker })
      })
    }).pipe(Effect.uninterruptible)
  }

  /** Books what became of a row. */
  settle(row: FleetRow, outcome: Outcome): Effect.Effect<void, ReportError> {
    return Effect.suspend(() => {
      this.rows.delete(row)
      this.tally.count(row, outcome)
      return this.report === undefined || outcome._tag !== "Failed"
        ? Effect.void
        : this.report.add(row, outcome.failure)
    }).pipe(Effect.uninterruptible)
  }
}
