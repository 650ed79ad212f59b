/**
 * `GET /v1/events`: every phase change as a server-sent event. Whoever was away tells in `Last-Event-ID` what was seen
 * last, as browsers do by themselves, and misses nothing that is still kept. The first thing that is sent is the id to
 * go on from, so that this is so before anything has happened.
 */
import { type EventPosition, Fleet, type PhaseEvent } from "@muster/core/fleet"
import { Duration, Effect, Option, Redacted, Schema, Stream } from "effect"
import { Sse } from "effect/encoding"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { Access } from "../access/Access.ts"
import { Lifecycle } from "../Lifecycle.ts"
import { ClientAddress } from "./ClientAddress.ts"
import { credentialOf } from "./Credentials.ts"
import { storeUnavailable } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { OpenRequests } from "./OpenRequests.ts"
import { PhaseEventView, toPhaseEventView } from "./Schemas.ts"

/** The handler, with the count of those who follow. */
export const makeFollow = Effect.gen(function* () {
  const fleet = yield* Fleet
  const access = yield* Access
  const lifecycle = yield* Lifecycle
  const followers = new OpenRequests({
    most: HttpLimits.followers,
    mostOfOne: HttpLimits.followersPerClient,
    retryAfter: 10,
    what: "clients follow the events already",
    whatOfOne: "streams are followed by this client already"
  })

  /** Whoever is not to see it any more does not go on seeing it: a stream lasts for days. */
  const unwelcome = (request: HttpServerRequest.HttpServerRequest) =>
    access.isOn
      ? Option.match(credentialOf(request), {
          onNone: () => Effect.never,
          onSome: ({ value }) => access.lost(Redacted.value(value))
        })
      : Effect.never

  const follow = (after: EventPosition, ended: Effect.Effect<void>) =>
    fleet.events(after).pipe(
      Stream.map(write),
      Stream.merge(keepAlive, { haltStrategy: "left" }),
      // The client connects again, and goes on where it was.
      Stream.catchTag("StoreUnavailable", () => Stream.empty),
      Stream.interruptWhen(Effect.race(lifecycle.stopped, ended))
    )

  return Effect.fnUntraced(function* (
    request: HttpServerRequest.HttpServerRequest,
    lastEventId: string | undefined
  ) {
    yield* followers.admit(yield* ClientAddress)
    const latest = yield* Effect.mapError(fleet.latestEvent, storeUnavailable)
    const after = startingPoint(lastEventId, latest)
    return HttpServerResponse.stream(
      Stream.encodeText(
        Stream.concat(Stream.succeed(`id: ${idOf(after)}\n\n`), follow(after, unwelcome(request)))
      ),
      {
        contentType: "text/event-stream",
        headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
      }
    )
  })
})

/**
 * Without an id it is what happens from now on. An id from the future is from another store, or from this one before
 * it lost something: then it is everything that is kept, because nothing shall be missed.
 */
const startingPoint = (lastEventId: string | undefined, latest: EventPosition): EventPosition => {
  if (lastEventId === undefined) return latest
  const [sequence, index = Infinity] = lastEventId.split(".", 2)
  const given = { sequence: Number(sequence), index: Number(index) }
  return given.sequence > latest.sequence ? { sequence: 0, index: 0 } : given
}

const idOf = ({ index, sequence }: EventPosition): string =>
  index === Infinity ? `${sequence}` : `${sequence}.${index}`

const encodeView = Schema.encodeSync(Schema.fromJsonString(PhaseEventView))

const write = (event: PhaseEvent): string =>
  Sse.encoder.write({
    _tag: "Event",
    event: "phase",
    id: idOf(event),
    data: encodeView(toPhaseEventView(event))
  })

const keepAlive = Stream.tick(Duration.seconds(HttpLimits.keepAliveSeconds)).pipe(
  Stream.map(() => ": this stream is alive\n\n")
)
