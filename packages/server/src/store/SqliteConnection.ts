/**
 * A connection to an SQLite file as Node has it: whoever calls it waits for the disk. Statements are prepared once and
 * kept.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"

/** What a connection is opened with. */
export interface SqliteFile {
  readonly filename: string
  readonly pragmas: ReadonlyArray<string>
  readonly readOnly?: boolean
}

/** One statement. */
export interface Step {
  readonly sql: string
  /** `each`: run once for each of `rows`. `rows`, `run`: run once with the first of them; what it answers. */
  readonly kind: "each" | "rows" | "run"
  readonly rows: ReadonlyArray<ReadonlyArray<SQLInputValue>>
  /** Its text will not come again. */
  readonly isUnprepared: boolean
}

// The texts of Muster's statements are a few dozen; whoever makes more of them must not fill the memory.
const mostStatements = 200

export class SqliteConnection {
  private readonly database: DatabaseSync
  private readonly statements = new Map<string, StatementSync>()

  constructor({ filename, pragmas, readOnly = false }: SqliteFile) {
    this.database = new DatabaseSync(filename, { readOnly })
    try {
      for (const pragma of pragmas) this.database.exec(`PRAGMA ${pragma}`)
    } catch (error) {
      this.database.close()
      throw error
    }
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }

  run({ isUnprepared, kind, rows, sql }: Step): unknown {
    // Who rolls back because something failed does not know whether SQLite has done so itself.
    if (sql === "ROLLBACK" && !this.database.isTransaction) return []
    const statement = isUnprepared ? this.database.prepare(sql) : this.prepared(sql)
    const [first = []] = rows
    switch (kind) {
      case "each":
        for (const row of rows) statement.run(...row)
        return undefined
      case "rows":
        return statement.all(...first)
      case "run":
        return statement.run(...first)
    }
  }

  private prepared(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.database.prepare(sql)
      if (this.statements.size === mostStatements) this.statements.clear()
      this.statements.set(sql, statement)
    }
    return statement
  }
}
