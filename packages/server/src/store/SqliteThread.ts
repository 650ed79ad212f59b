/**
 * A thread that writes to a database file. What it is asked comes as messages, which it carries out in their order; so
 * nobody else waits while it waits for the disk.
 */
import { parentPort, workerData } from "node:worker_threads"
import { SqliteConnection, type Step } from "./SqliteConnection.ts"

/** Statements to be carried out one after the other up to the first that fails; only the last one is answered. */
export type SqliteRequest = ReadonlyArray<Step> | "close"

export type SqliteAnswer =
  | { readonly value: unknown }
  /** The properties by which SQLite's errors are told apart do not travel with an error. */
  | { readonly error: Error; readonly properties: Record<string, unknown> }

const answer = (body: () => unknown): SqliteAnswer => {
  try {
    return { value: body() }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    return { error, properties: { ...error } }
  }
}

if (parentPort !== null) {
  const port = parentPort
  let connection: SqliteConnection | undefined
  // The first answer, to no request: whether the file could be opened.
  port.postMessage(
    answer(() => {
      connection = new SqliteConnection(workerData)
    })
  )
  port.on("message", (request: SqliteRequest) => {
    if (request === "close") {
      connection?.close()
      port.close()
      return
    }
    port.postMessage(
      answer(() => {
        let value: unknown
        for (const step of request) value = connection?.run(step)
        return value
      })
    )
  })
}
