/**
 * The audit log in a database with SQL. Entries are written in the transactions of what they tell of, where nobody
 * else changes the end of the chain.
 */
import type { AuditEntry } from "@muster/core/fleet"
import { Effect } from "effect"
import type * as SqlError from "effect/sql/SqlError"
import { chain, type ChainedEntry, type ChainPlace } from "../access/AuditChain.ts"
import type { AuditEnds, AuditLog } from "../access/AuditLog.ts"
import type { Attempt } from "./StoreAttempt.ts"
import type { Columns, Row, StoreDatabase } from "./StoreDatabase.ts"

const columns: Columns = [
  ["sequence", "number"],
  ["at", "number"],
  ["entry", "text"],
  ["hash", "text"]
]

const endColumns: Columns = [
  ["audit_sequence", "number"],
  ["audit_hash", "text"]
]

interface AuditRow {
  readonly sequence: number
  readonly entry: string
  readonly hash: string
}

const fromRow = ({ entry: json, hash, sequence }: AuditRow): ChainedEntry => {
  const entry: AuditEntry = JSON.parse(json)
  return { sequence, hash, entry }
}

export const makeAuditChain = ({ insert, isShared, sql, update }: StoreDatabase) => {
  const insertEntries = insert("muster_audit", columns)
  const setEnd = update("muster_state", endColumns, "id")
  const lock = sql.literal(isShared ? "FOR UPDATE" : "")
  return {
    /** Where the chain ends. From here on until the transaction has committed, nobody else appends anything. */
    end: Effect.map(
      sql<{ audit_sequence: number; audit_hash: string }>`
        SELECT audit_sequence, audit_hash FROM muster_state ${lock}`,
      ([end]): ChainPlace => ({ sequence: end?.audit_sequence ?? 0, hash: end?.audit_hash ?? "" })
    ),
    append: Effect.fnUntraced(function* (
      entries: ReadonlyArray<AuditEntry>,
      end: ChainPlace
    ): Effect.fn.Return<void, SqlError.SqlError> {
      let latest = end
      const rows: Array<Row> = []
      for (const entry of entries) {
        const { hash, json, sequence } = chain(latest, entry)
        rows.push([sequence, entry.at, json, hash])
        latest = { sequence, hash }
      }
      yield* insertEntries(rows)
      yield* setEnd([[latest.sequence, latest.hash, 1]])
    })
  }
}

export const makeSqlAuditLog = (database: StoreDatabase, attempt: Attempt): AuditLog["Service"] => {
  const { sql, transaction } = database

  const ends = Effect.gen(function* (): Effect.fn.Return<AuditEnds, SqlError.SqlError> {
    const [state] = yield* sql<{
      audit_sequence: number
      audit_hash: string
      audit_removed: number
      audit_removed_hash: string
    }>`SELECT audit_sequence, audit_hash, audit_removed, audit_removed_hash FROM muster_state`
    return {
      latest: { sequence: state?.audit_sequence ?? 0, hash: state?.audit_hash ?? "" },
      removed: { sequence: state?.audit_removed ?? 0, hash: state?.audit_removed_hash ?? "" }
    }
  })

  /** From the beginning of the chain on, though a clock that was set back may have put older entries after newer. */
  const removeBefore = Effect.fnUntraced(function* (
    before: number,
    limit: number
  ): Effect.fn.Return<number, SqlError.SqlError> {
    const oldest = yield* sql<AuditRow & { readonly at: number }>`
      SELECT sequence, at, '' AS entry, hash FROM muster_audit ORDER BY sequence LIMIT ${limit}`
    const kept = oldest.findIndex(({ at }) => at >= before)
    const last = oldest[(kept === -1 ? oldest.length : kept) - 1]
    if (last === undefined) return 0
    yield* sql`DELETE FROM muster_audit WHERE sequence <= ${last.sequence}`
    yield* sql`UPDATE muster_state SET audit_removed = ${last.sequence}, audit_removed_hash = ${last.hash}`
    return kept === -1 ? oldest.length : kept
  })

  return {
    after: (sequence, limit) =>
      attempt(
        "read",
        Effect.map(
          sql<AuditRow>`SELECT sequence, entry, hash FROM muster_audit WHERE sequence > ${sequence}
            ORDER BY sequence LIMIT ${limit}`,
          (rows) => rows.map(fromRow)
        )
      ),
    ends: attempt("read", ends),
    removeBefore: (before, limit) => attempt("write", transaction(removeBefore(before, limit)))
  }
}
