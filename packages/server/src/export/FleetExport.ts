/**
 * A fleet as an export, page by page: a running one, or what lies in a store. Each worker is told as it was at some
 * moment while the export was written.
 */
import type { Fleet, FleetStore, StoreUnavailable, WorkerRecord } from "@muster/core/fleet"
import { Clock, Effect, Option, Stream } from "effect"
import { endLine, headerLine, workerLine } from "./ExportFormat.ts"

export interface ExportSource {
  readonly list: (
    limit: number,
    after: number
  ) => Effect.Effect<
    {
      readonly records: ReadonlyArray<WorkerRecord>
      readonly next: number | undefined
      readonly total: number
    },
    StoreUnavailable
  >
  readonly forgottenGeneration: Effect.Effect<number, StoreUnavailable>
}

/** Workers on one page: few enough that the others hardly wait for it. */
const pageSize = 500

/** What a store holds. */
export const storeSource = (store: FleetStore["Service"]): ExportSource => ({
  list: (limit, after) => store.list({}, limit, after),
  forgottenGeneration: Effect.map(store.overview, ({ forgottenGeneration }) => forgottenGeneration)
})

/** What a running fleet holds. */
export const fleetSource = (fleet: Fleet["Service"]): ExportSource => ({
  list: (limit, after) =>
    Effect.map(fleet.list({}, limit, after), ({ items, next, total }) => ({ records: items, next, total })),
  forgottenGeneration: fleet.forgottenGeneration
})

/** The lines, several in each element, all with their ends. */
export const exportFleet = ({
  forgottenGeneration,
  list
}: ExportSource): Stream.Stream<string, StoreUnavailable> =>
  Stream.suspend(() => {
    let told = 0
    const page = Effect.fnUntraced(function* (after: number) {
      const { next, records, total } = yield* list(pageSize, after)
      const begin =
        after === 0 ? [headerLine(yield* Clock.currentTimeMillis, total, yield* forgottenGeneration)] : []
      told += records.length
      // Asked for again at the end, for what was forgotten meanwhile.
      const end = next === undefined ? [endLine(told, yield* forgottenGeneration)] : []
      const lines = [...begin, ...records.map(workerLine), ...end]
      return [[`${lines.join("\n")}\n`], Option.fromUndefinedOr(next)] as const
    })
    return Stream.paginate<number, string, StoreUnavailable>(0, page)
  })
