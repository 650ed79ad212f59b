/**
 * Every phase change of a running service's workers, as it happens, across broken connections and restarts of the
 * service.
 */
import { Cause, Duration, Effect, Queue, Schema, Stream } from "effect"
import { PhaseEventView } from "../http/Schemas.ts"
import { ask, MusterClient } from "./MusterClient.ts"
import { ServiceUnavailable, succeeded, unreachable } from "./ServiceAnswer.ts"
import { SseReader } from "./SseReader.ts"

export type PhaseChange = typeof PhaseEventView.Type

export type Followed =
  /** The service answers; everything from here on is told, and after a break everything since. */
  | { readonly _tag: "Connected" }
  /** The connection broke, for this reason; it is tried again without end. */
  | { readonly _tag: "Disconnected"; readonly reason: string }
  | { readonly _tag: "Changed"; readonly change: PhaseChange }

/** The service says something every 15 seconds, if only that it lives. */
const silence = Duration.seconds(45)
const firstPause = Duration.millis(500)
const longestPause = Duration.seconds(5)

const decodeChange = Schema.decodeUnknownOption(Schema.fromJsonString(PhaseEventView))

/**
 * Fails where the service cannot be followed from the first; a service that has answered once is waited for. A reader
 * that is slow holds up the connection, not this process.
 */
export const followPhases: Stream.Stream<Followed, ServiceUnavailable, MusterClient> = Stream.callback<
  Followed,
  ServiceUnavailable,
  MusterClient
>(
  (queue) =>
    Effect.gen(function* () {
      let lastEventId: string | undefined
      let pause = firstPause
      let hasAnswered = false
      const tell = (followed: Followed) => Queue.offer(queue, followed)
      const connection = Effect.gen(function* () {
        const { address } = yield* MusterClient
        const response = yield* ask((api) =>
          api.events.followEvents({
            headers: lastEventId === undefined ? {} : { "last-event-id": lastEventId },
            responseMode: "response-only"
          })
        )
        yield* succeeded(address, response)
        if (response.headers["content-type"]?.startsWith("text/event-stream") !== true) {
          return yield* new ServiceUnavailable({
            message: `${address} answered something that is no stream of events: is it a Muster service?`,
            retryable: false
          })
        }
        hasAnswered = true
        pause = firstPause
        yield* tell({ _tag: "Connected" })
        const reader = new SseReader()
        yield* response.stream.pipe(
          Stream.mapError(unreachable(address)),
          Stream.timeout(silence),
          Stream.decodeText,
          Stream.runForEach((text) =>
            Effect.forEach(
              reader.read(text),
              ({ data, event, id }) => {
                lastEventId = id
                const change = event === "phase" ? decodeChange(data) : undefined
                return change?._tag === "Some" ? tell({ _tag: "Changed", change: change.value }) : Effect.void
              },
              { discard: true }
            )
          )
        )
        return yield* new ServiceUnavailable({
          message: `${address} ended the stream of events`,
          retryable: true
        })
      })
      while (true) {
        const exit = yield* Effect.exit(connection)
        if (exit._tag === "Success") continue
        const error = exit.cause.reasons.find(Cause.isFailReason)?.error
        if (error === undefined || !hasAnswered || !error.retryable) return yield* exit
        yield* tell({ _tag: "Disconnected", reason: error.message })
        yield* Effect.sleep(Duration.max(pause, Duration.seconds(error.retryAfter ?? 0)))
        pause = Duration.min(Duration.times(pause, 2), longestPause)
      }
    }),
  { bufferSize: 256, strategy: "suspend" }
)
