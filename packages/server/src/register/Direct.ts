/**
 * Registration without a service: this process drives the scheduler itself.
 */
import { WorkerRegistration } from "@muster/core"
import { Effect, Predicate, Result, Stream } from "effect"
import type { FleetRow } from "../fleetfile/FleetRow.ts"
import type { Admitted, Ledger } from "./Ledger.ts"
import type { ReportError } from "./Report.ts"
import { fromError } from "./Tally.ts"

/** Registers every row of a stream and settles it in the ledger. Memory does not grow with the number of rows. */
export const registerDirectly = Effect.fnUntraced(function* <E>(
  rows: Stream.Stream<FleetRow, E>,
  ledger: Ledger
): Effect.fn.Return<void, E | ReportError, WorkerRegistration> {
  const registration = yield* WorkerRegistration
  // Results come in the order of the workers, so the first that waits is the one that a result belongs to.
  const waiting: Array<Admitted> = []
  const workers = rows.pipe(
    Stream.mapEffect((row) => ledger.admit(row)),
    Stream.filter(Predicate.isNotUndefined),
    Stream.map((admitted) => {
      waiting.push(admitted)
      return admitted.worker
    })
  )
  yield* Stream.runForEach(registration.registerStream(workers), (result) => {
    const admitted = waiting.shift()
    if (admitted === undefined)
      return Effect.die(new Error("registerStream gave more results than it got workers"))
    return ledger.settle(
      admitted.row,
      Result.match(result, {
        onFailure: fromError,
        onSuccess: ({ attempts, duration }) => ({ _tag: "Registered" as const, attempts, duration })
      })
    )
  })
})
