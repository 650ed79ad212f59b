/**
 * `POST /v1/events`: CloudEvents into the fleet, each accepted once.
 */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { type Accepted, Fleet } from "@muster/core/fleet"
import { Caller, keySpace } from "../access/Caller.ts"
import { Api } from "./Api.ts"
import { fromHeaders, isBinary, readEvent, type ReceivedEvent } from "./CloudEvents.ts"
import { makeFollow } from "./FollowHandler.ts"
import { type FleetProblem, notAccepted, notTold, withoutKey } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import {
  contentTooLarge,
  type KeyReusedProblem,
  MalformedJson,
  type UnknownWorkerProblem,
  type WorkerTerminatedProblem
} from "./Problems.ts"
import { Quota } from "./RateLimits.ts"
import { keyOf } from "./RequestKeys.ts"
import { mediaType, readJson, requireMediaType } from "./RequestBody.ts"
import { type EventResult, toAccepted } from "./Schemas.ts"

type ApplyProblem = Exclude<FleetProblem, KeyReusedProblem> | UnknownWorkerProblem | WorkerTerminatedProblem

const structured = "application/cloudevents+json"
const batched = "application/cloudevents-batch+json"
const json = "application/json"

export const EventsHandlers = HttpApiBuilder.group(
  Api,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const fleet = yield* Fleet

    const apply = Effect.fnUntraced(function* (
      event: ReceivedEvent
    ): Effect.fn.Return<Accepted, ApplyProblem | KeyReusedProblem> {
      const { change, occurredAt, priority, source } = event
      const key = keyOf("event", ...keySpace(yield* Caller), source, event.id)
      const once = { key, fingerprint: "" }
      const place = occurredAt === undefined ? undefined : { source, occurredAt }
      switch (change._tag) {
        case "Provisioned":
          return yield* Effect.mapError(
            fleet.want(change.worker, { ...change, priority: change.priority ?? priority, place, once }),
            notAccepted
          )
        case "Ready":
          return yield* Effect.mapError(fleet.ready(change.workerId, { place, priority, once }), notTold)
        case "Terminated":
          return yield* Effect.mapError(
            fleet.drop(change.workerId, { place, priority, once, reason: change.reason }),
            notAccepted
          )
      }
    })

    const receive = Effect.fnUntraced(function* (input: unknown) {
      const accepted = yield* withoutKey(apply(yield* readEvent(input)))
      if (accepted.repeated) return duplicate
      const result: EventResult = {
        status: 202,
        outcome: accepted.outdated ? "outdated" : "accepted",
        ...toAccepted(accepted)
      }
      return result
    })

    const receiveOne = (input: unknown) =>
      Effect.map(receive(input), (result) => HttpServerResponse.jsonUnsafe(result, { status: 202 }))

    const receiveMany = Effect.fnUntraced(function* (input: unknown) {
      if (!Array.isArray(input))
        return yield* new MalformedJson({ detail: "The body is not an array of events." })
      if (input.length > HttpLimits.arrayItems) {
        return yield* contentTooLarge(HttpLimits.arrayItems, "items", "The array")
      }
      // One has been counted with the request.
      if (input.length > 1) yield* (yield* Quota).take(input.length - 1)
      const results = yield* Effect.forEach(input, (item, index) =>
        receive(item).pipe(
          Effect.match({
            onSuccess: (result): EventResult => ({ index, ...result }),
            onFailure: (problem): EventResult => ({ index, status: problem.status, problem })
          })
        )
      )
      return { results }
    })

    const follow = yield* makeFollow

    return handlers
      .handleRaw("followEvents", ({ headers, request }) => follow(request, headers["last-event-id"]))
      .handleRaw(
        "receiveEvents",
        Effect.fnUntraced(function* ({ request }) {
          if (isBinary(request.headers) && !mediaType(request).startsWith("application/cloudevents")) {
            return yield* receiveOne(fromHeaders(request.headers, yield* binaryData(request)))
          }
          const type = yield* requireMediaType(request, [structured, batched])
          return type === batched
            ? yield* receiveMany(yield* readJson(request, HttpLimits.arrayBytes))
            : yield* receiveOne(yield* readJson(request, HttpLimits.itemBytes))
        })
      )
  })
)

const duplicate: EventResult = { status: 202, outcome: "duplicate" }

/** An event in binary mode may have no data; then it has no body and needs no type. */
const binaryData = (request: HttpServerRequest.HttpServerRequest) =>
  request.headers["content-length"] === "0" ||
  (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined)
    ? Effect.undefined
    : Effect.andThen(requireMediaType(request, [json]), readJson(request, HttpLimits.itemBytes))
