/**
 * The thread that writes to a database file, as those see it who ask it.
 */
import { Effect, Exit, type Scope } from "effect"
import * as SqlError from "effect/sql/SqlError"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import type { SqliteFile, Step } from "./SqliteConnection.ts"
import type { SqliteAnswer, SqliteRequest } from "./SqliteThread.ts"

/** Starts a thread that has a file open; ends it with the scope. */
export const startSqliteWriter = (
  file: SqliteFile
): Effect.Effect<SqliteWriter, SqlError.SqlError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new SqliteWriter(file)),
    (writer) => writer.close
  ).pipe(Effect.tap((writer) => writer.opened))

type Answered = Exit.Exit<unknown, SqlError.SqlError>

export class SqliteWriter {
  private readonly thread: Worker
  /** Those who wait for an answer, in the order of their requests. */
  private readonly waiting: Array<(answered: Answered) => void> = []
  /** Steps that go out with the next that is waited for. */
  private postponed: Array<Step> = []
  private ended: Error | undefined
  /** Fails where the file cannot be opened. */
  readonly opened: Effect.Effect<void, SqlError.SqlError>

  constructor(workerData: SqliteFile) {
    const script = new URL(`./SqliteThread${extname(import.meta.url)}`, import.meta.url)
    this.thread = new Worker(script, { workerData, execArgv: [] })
    this.thread.on("message", (answer: SqliteAnswer) => this.waiting.shift()?.(toAnswered(answer)))
    this.thread.on("error", (error) => this.end(error))
    this.thread.on("exit", () => this.end(new Error("the thread that writes to it has ended")))
    const opened = new Promise<Answered>((resolve) => this.waiting.push(resolve))
    this.opened = Effect.asVoid(Effect.flatten(Effect.promise(() => opened)))
  }

  /** A step whose answer nobody needs: it goes out with the next one that is asked, and fails that one if it fails. */
  postpone(step: Step): void {
    this.postponed.push(step)
  }

  /** Drops what was postponed and has not gone out. */
  forget(): void {
    this.postponed = []
  }

  /**
   * Nothing can be taken back from the thread: who is interrupted does not get the answer, and what comes next is
   * carried out after what was asked before.
   */
  ask(step: Step): Effect.Effect<unknown, SqlError.SqlError> {
    return Effect.callback<unknown, SqlError.SqlError>((resume) => {
      const steps = this.postponed
      this.postponed = []
      if (this.ended !== undefined) return resume(Effect.fail(toSqlError(this.ended)))
      steps.push(step)
      this.waiting.push(resume)
      this.post(steps)
    })
  }

  get close(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.ended !== undefined) return resume(Effect.void)
      this.thread.once("exit", () => resume(Effect.void))
      this.post("close")
    })
  }

  private post(request: SqliteRequest): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.thread.postMessage(request)
  }

  private end(error: Error): void {
    this.ended ??= error
    for (const answered of this.waiting.splice(0)) answered(Exit.fail(toSqlError(this.ended)))
  }
}

const toAnswered = (answer: SqliteAnswer): Answered =>
  "error" in answer
    ? Exit.fail(toSqlError(Object.assign(answer.error, answer.properties)))
    : Exit.succeed(answer.value)

export const toSqlError = (cause: unknown): SqlError.SqlError =>
  new SqlError.SqlError({ reason: SqlError.classifySqliteError(cause, { operation: "execute" }) })
