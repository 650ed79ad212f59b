/**
 * What `muster doctor` looks at in a store that is a file. It only reads; a service may have it open.
 */
import { Effect, Predicate } from "effect"
import { accessSync, constants, existsSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pathToFileURL } from "node:url"
import { newestMigration } from "../store/Migrations.ts"
import { applicationId } from "../store/SqliteStore.ts"
import { type Finding, ok, problem } from "./Finding.ts"

/** Above this, looking through all of a file takes too long. */
const largestChecked = 64 * 2 ** 20

export const checkFileStore = (store: string) =>
  Effect.sync((): ReadonlyArray<Finding> => {
    const path = resolve(store)
    if (!existsSync(path)) return [ok(`${path} is not there yet: the service makes it`)]
    if (statSync(path).isDirectory()) {
      return [problem(`${path} is a directory`, "Name a file in it, such as fleet.db.")]
    }
    try {
      accessSync(path, constants.R_OK | constants.W_OK)
    } catch {
      return [
        problem(
          `this user may not write to ${path}`,
          "Run this as the user of the service, or let that user write it."
        )
      ]
    }
    try {
      return look(path)
    } catch (error) {
      return [trouble(path, error)]
    }
  })

const look = (path: string): ReadonlyArray<Finding> => {
  const isHeld = isLocked(path)
  const database = open(path)
  try {
    const { tables } = database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() ?? {}
    if (tables === 0) return [ok(`${path} is empty: the service makes its tables`)]
    const { application_id } = database.prepare("PRAGMA application_id").get() ?? {}
    if (application_id !== applicationId) {
      return [
        problem(
          `${path} is somebody else's SQLite database`,
          "Name another file with --store or MUSTER_STORE."
        )
      ]
    }
    const { version } =
      database.prepare("SELECT max(migration_id) AS version FROM muster_migration").get() ?? {}
    if (typeof version === "number" && version > newestMigration) {
      return [
        problem(
          `${path} was written by a newer version of muster: its tables are of version ${version}, and this one knows ${newestMigration}`,
          "Run that version again, or start with an empty store and import an export."
        )
      ]
    }
    const { size } = statSync(path)
    const isChecked = size <= largestChecked
    if (isChecked) {
      const { quick_check } = database.prepare("PRAGMA quick_check(1)").get() ?? {}
      if (quick_check !== "ok") {
        return [
          problem(`${path} is damaged: ${String(quick_check)}`, "Restore it from a backup: docs/operate.md.")
        ]
      }
    }
    const { workers } =
      database.prepare("SELECT coalesce(sum(workers), 0) AS workers FROM muster_count").get() ?? {}
    const soundness = isChecked ? "and is sound" : "and is too large to be looked through here"
    return [
      ok(`${path} holds ${String(workers)} workers ${soundness}${isHeld ? "; a service has it open" : ""}`)
    ]
  } finally {
    database.close()
  }
}

/** What was committed lately is in the log beside a file. Where there is none, none is made. */
const open = (path: string): DatabaseSync => {
  const url = pathToFileURL(path)
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1")
  return new DatabaseSync(url, { readOnly: true, timeout: 1000 })
}

/** Whether a service has the store open. The lock is let go of at once. */
const isLocked = (path: string): boolean => {
  const lock = `${path}.lock`
  if (!existsSync(lock)) return false
  const database = new DatabaseSync(lock, { readOnly: true, timeout: 0 })
  try {
    database.prepare("SELECT count(*) FROM sqlite_schema").get()
    return false
  } catch {
    return true
  } finally {
    database.close()
  }
}

const trouble = (path: string, error: unknown): Finding => {
  const code =
    Predicate.hasProperty(error, "errcode") && typeof error.errcode === "number" ? error.errcode & 0xff : 0
  const message = error instanceof Error ? error.message : String(error)
  switch (code) {
    case 5:
      return problem(`another program holds a lock on ${path}`, "Find it (fuser, lsof) and end it.")
    case 11:
      return problem(`${path} is damaged: ${message}`, "Restore it from a backup: docs/operate.md.")
    case 26:
      return problem(`${path} is not an SQLite database`, "Name another file with --store or MUSTER_STORE.")
    default:
      return problem(
        `${path} cannot be read: ${message}`,
        "Look at the file and its folder, and who may read them."
      )
  }
}
