/**
 * `POST /v1/workers`: one worker, by the route that is declared, or by a short cut to it.
 */
import { type Accepted, Fleet, type Priority } from "@muster/core/fleet"
import { Effect, Tracer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Caller } from "../access/Caller.ts"
import { makeAuthenticate } from "./Authenticate.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { preferredWait } from "./Preferences.ts"
import { problemResponse } from "./ProblemResponse.ts"
import { readJson, requireMediaType } from "./RequestBody.ts"
import { onceOf } from "./RequestKeys.ts"
import { toAccepted } from "./Schemas.ts"
import { decodeWorker, intake, isRegistered } from "./WorkerInput.ts"

type Request = HttpServerRequest.HttpServerRequest

/** The headers that say how a worker is to be treated. */
export interface RegisterHeaders {
  readonly prefer?: string | undefined
  readonly "idempotency-key"?: string | undefined
  readonly "muster-priority"?: Priority | undefined
}

export const registerWorker = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  request: Request,
  headers: RegisterHeaders
) {
  yield* requireMediaType(request, ["application/json"])
  const input = yield* decodeWorker(yield* readJson(request, HttpLimits.itemBytes))
  const wait = preferredWait(headers.prefer)
  const once = onceOf(yield* Caller, headers["idempotency-key"], "worker", input)
  return accepted(yield* intake(fleet, input, { wait, priority: headers["muster-priority"], once }), wait)
})

/** 200 where the wait has shown that the scheduler has the worker, 202 otherwise. */
const accepted = (status: Accepted, wait: number | undefined) =>
  HttpServerResponse.jsonUnsafe(toAccepted(status), {
    status: wait !== undefined && isRegistered(status) ? 200 : 202,
    headers: {
      location: `/v1/workers/${encodeURIComponent(status.id)}`,
      ...(wait === undefined ? undefined : { "preference-applied": `wait=${wait}` })
    }
  })

/**
 * Takes what is asked for most, one worker and no further wishes, straight to its handler: to find a route and to decode
 * its headers, and the copies of the context that `HttpApiBuilder` makes for it, take as long as all else that is done to
 * answer it. Where spans are made it stays with the route, whose name they have.
 */
export const RegisterWorkerShortCut = HttpRouter.middleware(
  Effect.gen(function* () {
    const fleet = yield* Fleet
    const authenticate = yield* makeAuthenticate
    const handled = authenticate(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => registerWorker(fleet, request, {})),
      "registerWorker"
    ).pipe(Effect.catch(problemResponse))
    return (handler) =>
      Effect.withFiber((fiber) =>
        fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer
          ? Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
              isPlain(request) ? handled : handler
            )
          : handler
      )
  }),
  { global: true }
)

const isPlain = ({ headers, method, url }: Request): boolean =>
  method === "POST" &&
  url === "/v1/workers" &&
  headers["prefer"] === undefined &&
  headers["idempotency-key"] === undefined &&
  headers["muster-priority"] === undefined
