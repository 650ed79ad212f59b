/**
 * Plain requests to the service, for what the soak test asks beside its changes.
 */
import { Data, Effect } from "effect"

/** The request did not get an answer in time, or none that could be read. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

export interface Answer {
  readonly status: number
  readonly text: string
}

/** How long an answer may take on a machine that is busy with much else. */
const patience = "20 seconds"

export const ask = (url: string, init: RequestInit = {}): Effect.Effect<Answer, NoAnswer> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, { ...init, signal })
      return { status: response.status, text: await response.text() }
    },
    catch: (error) => {
      // `fetch failed` alone says nothing.
      const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : ""
      return new NoAnswer({ message: `${init.method ?? "GET"} ${url}: ${String(error)}${cause}` })
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () =>
        Effect.fail(new NoAnswer({ message: `${init.method ?? "GET"} ${url}: nothing within ${patience}` }))
    })
  )
