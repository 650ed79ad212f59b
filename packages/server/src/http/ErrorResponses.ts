/**
 * Whatever goes wrong on the way to a handler or inside it becomes a problem document here. What is the service's
 * own fault is logged with all that is known, and told to the client without.
 */
import { Cause, Effect, Layer, type Types } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiMiddleware } from "effect/http-api"
import { IncomingMessage } from "node:http"
import { Lifecycle } from "../Lifecycle.ts"
import { Limits } from "../LimitSettings.ts"
import { RequestProblems } from "./Api.ts"
import { ClientAddress, clientAddress, TrustedProxies } from "./ClientAddress.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { invalidRequest } from "./InvalidInput.ts"
import { OpenRequests } from "./OpenRequests.ts"
import {
  ContentTooLarge,
  InternalError,
  InvalidRequest,
  MethodNotAllowed,
  NotFound,
  Overloaded,
  TooManyRequests
} from "./Problems.ts"
import { problemResponse } from "./ProblemResponse.ts"
import { problemDocument, problemHeaders, type RefusedRequest } from "./RefusedRequest.ts"
import { wrongShape } from "./RequestShape.ts"
import { isWatching, pathOf } from "./RequestPath.ts"
import { allowedMethods } from "./Routes.ts"

/** Parameters, headers and queries that cannot be decoded, each with its path and the rule. */
const RequestProblemsLive = HttpApiMiddleware.layerSchemaErrorTransform(RequestProblems, (error) => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") return Effect.die(error)
  return Effect.fail(invalidRequest(error.cause.issue, error.kind.toLowerCase()))
})

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

const AllErrors = HttpRouter.middleware(
  Effect.gen(function* () {
    const lifecycle = yield* Lifecycle
    const { clientConnections, requests } = yield* Limits
    const proxies = yield* TrustedProxies
    const open = new OpenRequests({
      most: requests,
      mostOfOne: clientConnections,
      retryAfter: 1,
      what: "requests are open already",
      whatOfOne: "requests of this client are open already"
    })
    // Whoever watches the service is answered however busy it is: what is killed for that starts all over again.
    const admitted = (request: Request, address: string) =>
      isWatching(request.url) ? Effect.void : open.admit(address)
    return (handler) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        if (isGone(request)) return Effect.interrupt
        const wrong = request.source instanceof IncomingMessage ? wrongShape(request.source) : undefined
        if (wrong !== undefined) return Effect.succeed(refuse(wrong))
        const address = clientAddress(request, proxies)
        return Effect.andThen(admitted(request, address), handler).pipe(
          Effect.provideService(ClientAddress, address),
          Effect.catchCause((cause) => respond(request, cause)),
          // A connection that stays open would keep the service from ending.
          Effect.map((response) =>
            lifecycle.isStopping() ? HttpServerResponse.setHeader(response, "connection", "close") : response
          )
        )
      })
  }),
  { global: true }
)

/** Requests that came in one piece reach the handlers although the connection was closed over the first of them. */
const isGone = ({ source }: Request): boolean =>
  source instanceof IncomingMessage && (source.socket.destroyed || source.socket.writableEnded)

const refuse = (wrong: RefusedRequest): Response =>
  HttpServerResponse.text(problemDocument(wrong), { status: wrong.status, headers: problemHeaders(wrong) })

const respond = (request: Request, cause: Cause.Cause<unknown>): Effect.Effect<Response, Types.unhandled> => {
  if (Cause.hasInterruptsOnly(cause))
    return Effect.failCause(Cause.fromReasons(cause.reasons.filter(Cause.isInterruptReason)))
  const error = Cause.squash(cause)
  if (error instanceof Overloaded || error instanceof TooManyRequests) return problemResponse(error)
  if (HttpServerError.isHttpServerError(error)) {
    switch (error.reason._tag) {
      case "RouteNotFound":
        return noRoute(request)
      case "RequestParseError":
        return problemResponse(
          error.reason.reason === "BodyTooLarge"
            ? new ContentTooLarge({ maximum: HttpLimits.itemBytes, unit: "bytes" })
            : new InvalidRequest({ errors: [{ path: "", message: "expected a request that can be read" }] })
        )
    }
  }
  return Effect.andThen(
    Effect.logError("Request failed", cause).pipe(
      Effect.annotateLogs({ method: request.method, path: pathOf(request.url) })
    ),
    problemResponse(new InternalError({ detail: "The log of the service says why." }))
  )
}

const noRoute = (request: Request): Effect.Effect<Response> => {
  const allowed = allowedMethods(pathOf(request.url))
  const allow = allowed.join(", ")
  if (request.method === "OPTIONS" && (allowed.length > 0 || request.url === "*")) {
    return Effect.succeed(
      HttpServerResponse.empty({
        status: 204,
        headers: { allow: allow || "GET, HEAD, POST, DELETE, OPTIONS" }
      })
    )
  }
  if (allowed.length === 0 || allowed.includes(request.method)) {
    return problemResponse(new NotFound({ detail: "See /docs for what there is." }))
  }
  return Effect.map(
    problemResponse(new MethodNotAllowed({ allowed, detail: `This address has ${allow}.` })),
    HttpServerResponse.setHeader("allow", allow)
  )
}

/** All of it, for every route. */
export const ErrorResponses = Layer.mergeAll(RequestProblemsLive, AllErrors)
