/**
 * The records that were written last and will soon be read again, because something is still to be done about them. Only
 * where one process has the store: nobody else may change what is in it.
 */
import type { WorkerId } from "@muster/core"
import { isUnfinished } from "@muster/core/fleet"
import type { KeptRecord, RecordChange } from "./WorkerRows.ts"

const mostRecords = 4096

/** In characters of its JSON: a larger one is read anew. With the number above, this bounds the memory. */
const largestWorker = 4096

/** What a transaction goes by, and hands back when it has committed. */
interface Lent {
  readonly records: Map<WorkerId, KeptRecord>
  readonly number: number
}

export class RecentRecords {
  private records = new Map<WorkerId, KeptRecord>()
  private number = 0

  /**
   * For a transaction that has begun. Nothing is left meanwhile, so that one that fails, or whose end nobody learns of,
   * leaves nothing that may be wrong.
   */
  lend(): Lent {
    const lent = { records: this.records, number: ++this.number }
    this.records = new Map()
    return lent
  }

  /** The transaction has committed these changes. */
  giveBack({ number, records }: Lent, changes: ReadonlyArray<RecordChange>): void {
    if (number !== this.number) return
    for (const { after } of changes) {
      const { record } = after
      records.delete(record.id)
      const size = record.stored?.json.length ?? 0
      if (isUnfinished(record) && size <= largestWorker) records.set(record.id, after)
    }
    for (const id of records.keys()) {
      if (records.size <= mostRecords) break
      records.delete(id)
    }
    this.records = records
  }

  /** Others have changed records. */
  forget(): void {
    this.lend()
  }
}
