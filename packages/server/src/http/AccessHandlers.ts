/**
 * `/v1/session`, `/v1/tokens`, `/v1/join` and `/v1/audit`: who may do what, and who did what.
 */
import { CurrentActor, Fleet, StoreUnavailable } from "@muster/core/fleet"
import { Duration, Effect, Option, Predicate, Redacted } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { IncomingMessage } from "node:http"
import { TLSSocket } from "node:tls"
import { Access } from "../access/Access.ts"
import type { ChainedEntry } from "../access/AuditChain.ts"
import { AuditLog } from "../access/AuditLog.ts"
import { Caller, coversNamespace, nobody, toActor } from "../access/Caller.ts"
import { Issuing, type Issued } from "../access/Issuing.ts"
import { findJoinToken, join, misfit } from "../access/Joining.ts"
import { parseSecret } from "../access/Token.ts"
import { TokenStore } from "../access/TokenStore.ts"
import {
  type AuditEntryView,
  defaultJoin,
  JoinTokenRequest,
  RotationRequest,
  SignInRequest,
  TokenRequest,
  toSessionView,
  toTokenView
} from "./AccessSchemas.ts"
import { Api } from "./Api.ts"
import { FailureLimiter } from "../access/FailureLimiter.ts"
import { ClientAddress } from "./ClientAddress.ts"
import { credentialOf, isFromElsewhere, sessionCookie } from "./Credentials.ts"
import { notAccepted, storeUnavailable, withoutKey } from "./FleetProblems.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { decodeInput } from "./InvalidInput.ts"
import { forbidden, fromElsewhere, InvalidRequest, Unauthenticated, UnknownToken } from "./Problems.ts"
import { readJson, requireMediaType } from "./RequestBody.ts"
import { toAccepted } from "./Schemas.ts"
import { decodeWorker } from "./WorkerInput.ts"

type Request = HttpServerRequest.HttpServerRequest

const sessionLife = Duration.hours(HttpLimits.sessionHours)

/** Bytes of a body that says something about a token. */
const bodyBytes = 64 * 1024

export const AccessHandlers = HttpApiBuilder.group(
  Api,
  "access",
  Effect.fnUntraced(function* (handlers) {
    const access = yield* Access
    const auditLog = yield* AuditLog
    const fleet = yield* Fleet
    const issuing = yield* Issuing
    const tokens = yield* TokenStore
    const failures = yield* FailureLimiter

    const body = (request: Request) =>
      Effect.andThen(requireMediaType(request, ["application/json"]), readJson(request, bodyBytes))

    const signIn = Effect.fnUntraced(function* (request: Request) {
      if (isFromElsewhere(request)) return yield* fromElsewhere()
      const { token } = yield* Effect.flatMap(body(request), decodeInput(SignInRequest))
      if (!access.isOn) return yield* new InvalidRequest({ errors: [notNeeded] })
      const address = yield* ClientAddress
      yield* failures.check(address)
      const identity = yield* access.identify(Redacted.value(token))
      if (identity === undefined || identity.kind === "machine" || identity.kind === "session") {
        yield* failures.failed(address)
        yield* Effect.annotateLogs(Effect.logWarning("Somebody could not sign in"), { address })
        return yield* new Unauthenticated({ detail: "The token is not known here, was revoked, or is over." })
      }
      const session = yield* issuing
        .openSession(identity, sessionLife)
        .pipe(Effect.provideService(CurrentActor, toActor({ ...identity, address })))
      const view = toSessionView(
        { ...identity, expiresAt: session.token.expiresAt, kind: "session" },
        access.isOn
      )
      return yield* withCookie(request, HttpServerResponse.jsonUnsafe(view), session.secret)
    })

    const signOut = Effect.fnUntraced(function* (request: Request) {
      if (isFromElsewhere(request)) return yield* fromElsewhere()
      const presented = Option.filter(credentialOf(request), ({ isCookie }) => isCookie)
      if (Option.isSome(presented)) {
        const secret = Redacted.value(presented.value.value)
        const identity = yield* access.identify(secret)
        const id = parseSecret(secret)?.id
        if (identity !== undefined && id !== undefined) yield* issuing.revoke(id)
      }
      return yield* withCookie(request, HttpServerResponse.empty({ status: 204 }), undefined)
    })

    /** Refusals to join are told of, in the log and in the audit log: somebody may be guessing. */
    const noteRefusal = Effect.fnUntraced(function* (
      id: string,
      reason: string,
      address: string | undefined
    ) {
      const actor = { ...nobody, id, address }
      yield* fleet
        .audit("join", "refused", reason)
        .pipe(Effect.provideService(CurrentActor, actor), Effect.ignore)
      yield* Effect.logWarning(`A machine was refused: ${reason}`).pipe(
        Effect.annotateLogs({ joinToken: id, address })
      )
    })

    const refuseJoin = (id: string, reason: string, address: string | undefined) =>
      Effect.andThen(
        noteRefusal(id, reason, address),
        Effect.fail(new Unauthenticated({ detail: "The join token is not known, was used, or is over." }))
      )

    return handlers
      .handle("getSession", () => Effect.map(Caller, (caller) => toSessionView(caller, access.isOn)))
      .handleRaw("signIn", ({ request }) => withStoreProblem(signIn(request)))
      .handleRaw("signOut", ({ request }) => withStoreProblem(signOut(request)))
      .handle("listTokens", ({ query }) => {
        const limit = query.limit ?? HttpLimits.pageDefault
        return tokens
          .list({ kinds: query.kind ?? ["token", "join"], after: query.cursor ?? "", limit: limit + 1 })
          .pipe(
            Effect.map((found) => ({
              items: found.slice(0, limit).map(toTokenView),
              nextCursor: found.length > limit ? (found[limit - 1]?.id ?? null) : null
            })),
            Effect.mapError((error) => storeUnavailable(error))
          )
      })
      .handleRaw(
        "createToken",
        Effect.fnUntraced(function* ({ request }) {
          const { expiresIn, ...input } = yield* Effect.flatMap(body(request), decodeInput(TokenRequest))
          const isNarrowed = input.namespaces !== undefined || input.ownWorkers === true
          if (isNarrowed && input.role !== "provisioner") {
            return yield* new InvalidRequest({ errors: [onlyOfProvisioners] })
          }
          const { id } = yield* Caller
          const issued = yield* issuing.issue({ ...input, kind: "token", life: expiresIn, createdBy: id })
          return HttpServerResponse.jsonUnsafe(toNewToken(issued), { status: 201, headers: notKept })
        }, withStoreProblem)
      )
      .handleRaw(
        "rotateToken",
        Effect.fnUntraced(function* ({ params, request }) {
          const { grace = Duration.zero } = yield* Effect.flatMap(body(request), decodeInput(RotationRequest))
          const issued = yield* issuing.rotate(params.id, grace)
          if (issued === undefined) return yield* new UnknownToken({})
          return HttpServerResponse.jsonUnsafe(toNewToken(issued), { headers: notKept })
        }, withStoreProblem)
      )
      .handle("revokeToken", ({ params }) =>
        issuing.revoke(params.id).pipe(
          Effect.mapError((error) => storeUnavailable(error)),
          Effect.flatMap((revoked) => (revoked ? Effect.void : Effect.fail(new UnknownToken({}))))
        )
      )
      .handleRaw(
        "createJoinToken",
        Effect.fnUntraced(function* ({ request }) {
          const input = yield* Effect.flatMap(body(request), decodeInput(JoinTokenRequest))
          const { expiresIn = defaultJoin, namespace = "default", workerId } = input
          const caller = yield* Caller
          if (caller.ownWorkers || !coversNamespace(caller, namespace)) {
            return yield* forbidden("This credential is not for that namespace.")
          }
          const issued = yield* issuing.issue({
            kind: "join",
            name: input.name ?? "join",
            role: "provisioner",
            namespaces: [namespace],
            worker: workerId,
            parent: caller.id,
            createdBy: caller.id,
            life: expiresIn
          })
          return HttpServerResponse.jsonUnsafe(toNewToken(issued), { status: 201, headers: notKept })
        }, withStoreProblem)
      )
      .handleRaw(
        "join",
        Effect.fnUntraced(
          function* ({ request }) {
            const address = yield* ClientAddress
            const presented = Option.filter(credentialOf(request), ({ isCookie }) => !isCookie)
            const secret = Option.match(presented, {
              onNone: () => "",
              onSome: ({ value }) => Redacted.value(value)
            })
            yield* failures.check(address)
            const token = yield* findJoinToken(secret)
            if (token === undefined) {
              yield* failures.failed(address)
              return yield* refuseJoin(
                presentedId(secret),
                "its join token is not known, was used, or is over",
                address
              )
            }
            yield* requireMediaType(request, ["application/json"])
            const given = yield* readJson(request, HttpLimits.itemBytes)
            const { worker, ...said } = yield* decodeWorker(inNamespace(given, token.namespaces?.[0]))
            const wrong = misfit(token, worker)
            if (wrong !== undefined) {
              yield* noteRefusal(token.id, wrong, address)
              return yield* forbidden(wrong)
            }
            const joined = yield* join(token, worker, said, address).pipe(
              Effect.catch((error) => Effect.fail(notAccepted(error))),
              withoutKey
            )
            if (joined === undefined)
              return yield* refuseJoin(token.id, "another one used the same join token meanwhile", address)
            yield* Effect.logInfo(`Worker ${worker.id} joined with the join token ${token.id}`).pipe(
              Effect.annotateLogs({ workerId: worker.id, address })
            )
            return HttpServerResponse.jsonUnsafe(
              { ...toAccepted(joined.accepted), credential: Redacted.value(joined.credential) },
              { status: 202, headers: notKept }
            )
          },
          withStoreProblem,
          Effect.provideService(TokenStore, tokens),
          Effect.provideService(Fleet, fleet)
        )
      )
      .handle("listAudit", ({ query }) =>
        Effect.all({
          items: auditLog.after(query.after ?? 0, query.limit ?? HttpLimits.pageDefault),
          ends: auditLog.ends
        }).pipe(
          Effect.map(({ ends, items }) => ({ items: items.map(toEntryView), ...ends })),
          Effect.mapError((error) => storeUnavailable(error))
        )
      )
  })
)

const presentedId = (secret: string): string => parseSecret(secret)?.id ?? "unknown"

const withStoreProblem = <A, E, R>(effect: Effect.Effect<A, E | StoreUnavailable, R>) =>
  Effect.catchIf(
    effect,
    (error): error is StoreUnavailable => error instanceof StoreUnavailable,
    (error) => Effect.fail(storeUnavailable(error))
  )

const isEncrypted = ({ source }: Request): boolean =>
  source instanceof IncomingMessage && source.socket instanceof TLSSocket

/** Sets the cookie of a session, or takes it back. */
const withCookie = (
  request: Request,
  response: HttpServerResponse.HttpServerResponse,
  session: Redacted.Redacted | undefined
) => {
  const secure = isEncrypted(request)
  return HttpServerResponse.setCookie(
    response,
    secure ? sessionCookie.secure : sessionCookie.plain,
    session === undefined ? "" : Redacted.value(session),
    {
      httpOnly: true,
      sameSite: "strict",
      secure,
      path: "/",
      maxAge: session === undefined ? 0 : sessionLife
    }
  ).pipe(Effect.map(HttpServerResponse.setHeader("cache-control", "no-store")), Effect.orDie)
}

/** A worker that names no namespace is of the token's. */
const inNamespace = (given: unknown, namespace: string | undefined): unknown => {
  if (namespace === undefined || !Predicate.isObject(given)) return given
  const metadata = Predicate.hasProperty(given, "metadata") ? (given.metadata ?? {}) : {}
  return Predicate.isObject(metadata) ? { ...given, metadata: { namespace, ...metadata } } : given
}

const toEntryView = ({ entry, hash, sequence }: ChainedEntry): AuditEntryView => ({
  sequence,
  hash,
  entry: {
    at: entry.at,
    actor: defined(entry.actor),
    action: entry.action,
    outcome: entry.outcome,
    workers: entry.workers.map(({ generation, id }) =>
      generation === undefined ? { id } : { id, generation }
    ),
    ...(entry.detail === undefined ? undefined : { detail: entry.detail })
  }
})

const defined = ({ address, ...actor }: ChainedEntry["entry"]["actor"]) =>
  address === undefined ? actor : { ...actor, address }

const notNeeded = { path: "", message: "this service asks for no token: there is nothing to sign in to" }

const onlyOfProvisioners = {
  path: "role",
  message: "expected provisioner, since only that can be narrowed to namespaces or to its own workers"
}

/** No cache on the way may keep a secret. */
const notKept = { "cache-control": "no-store" }

const toNewToken = ({ secret, token }: Issued) => ({ ...toTokenView(token), token: Redacted.value(secret) })
