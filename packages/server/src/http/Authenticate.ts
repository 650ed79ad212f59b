/**
 * Whose request it is, and whether they may make it: before anything of it is read.
 */
import { CurrentActor, Fleet } from "@muster/core/fleet"
import { type Context, Effect, Layer, Option, Redacted, Stream } from "effect"
import { HttpBody, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Access } from "../access/Access.ts"
import { anonymous, Caller, toActor } from "../access/Caller.ts"
import { FailureLimiter } from "../access/FailureLimiter.ts"
import { allows, permissionOf } from "../access/Permission.ts"
import { Authentication } from "./Authentication.ts"
import { ClientAddress } from "./ClientAddress.ts"
import { credentialOf, isFromElsewhere, isMisdirected } from "./Credentials.ts"
import { storeUnavailable } from "./FleetProblems.ts"
import { forbidden, fromElsewhere, Unauthenticated } from "./Problems.ts"
import { Quota } from "./RateLimits.ts"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

const isLook = ({ method }: Request): boolean => method === "GET" || method === "HEAD" || method === "OPTIONS"

/** Makes what lets a handler answer those who may ask for this endpoint. */
export const makeAuthenticate = Effect.gen(function* () {
  const access = yield* Access
  const fleet = yield* Fleet
  const failures = yield* FailureLimiter

  /** Who it is, where authentication is on. */
  const identify = Effect.fnUntraced(function* (request: Request, address: string) {
    const presented = credentialOf(request)
    if (Option.isNone(presented))
      return yield* unauthenticated(
        "This service asks for a token. The commands show the one that MUSTER_TOKEN_FILE names."
      )
    const { isCookie, value } = presented.value
    if (isCookie && !isLook(request) && isFromElsewhere(request)) return yield* fromElsewhere()
    yield* failures.check(address)
    const identity = yield* Effect.mapError(access.identify(Redacted.value(value)), (error) =>
      storeUnavailable(error)
    )
    if (identity === undefined) {
      yield* failures.failed(address)
      return yield* unauthenticated("The token is not known here, was revoked, or is over.")
    }
    yield* (yield* Quota).countFor(identity.id)
    return identity
  })

  /** Everybody who is on this machine, but no page that a browser on it shows. */
  const admitAll = (request: Request) => {
    if (isMisdirected(request)) return misdirected
    return isLook(request) || !isFromElsewhere(request)
      ? Effect.succeed(anonymous)
      : Effect.fail(fromElsewhere())
  }

  return <E, R>(handler: Effect.Effect<Response, E, R>, endpoint: string) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const address = yield* ClientAddress
      const permission = permissionOf(endpoint)
      const identity =
        permission === "public"
          ? anonymous
          : yield* access.isOn ? identify(request, address) : admitAll(request)
      const caller = { ...identity, address }
      const actor = toActor(caller)
      if (!allows(identity, permission)) {
        yield* Effect.provideService(Effect.ignore(fleet.audit(endpoint, "refused")), CurrentActor, actor)
        return yield* forbidden(`This needs more than the role ${actor.role}.`)
      }
      // Not `provideContext`, which makes a copy of the whole context for each request.
      return yield* Effect.flatMap(handler, withContext).pipe(
        Effect.provideService(Caller, caller),
        Effect.provideService(CurrentActor, actor)
      )
    })
})

export const AuthenticationLive = Layer.effect(
  Authentication,
  Effect.map(makeAuthenticate, (authenticate) =>
    Authentication.of((handler, { endpoint }) => authenticate(handler, endpoint.identifier))
  )
)

/** A stream goes on when its handler has ended; it, too, is the caller's, and part of the caller's trace. */
const withContext = (response: Response) => {
  const { body } = response
  return body._tag === "Stream"
    ? Effect.contextWith((context: Context.Context<never>) =>
        Effect.succeed(
          HttpServerResponse.setBody(
            response,
            HttpBody.stream(Stream.provideContext(body.stream, context), body.contentType, body.contentLength)
          )
        )
      )
    : Effect.succeed(response)
}

const unauthenticated = (detail: string) => Effect.fail(new Unauthenticated({ detail }))

const misdirected = Effect.fail(
  forbidden(
    "Without authentication this service answers only to the names of the machine it runs on, such as localhost."
  )
)
