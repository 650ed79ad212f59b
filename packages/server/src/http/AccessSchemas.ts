/**
 * What the HTTP API says of credentials and of the audit log. A secret is told once, to whoever asked for it.
 */
import { WorkerId } from "@muster/core"
import { Phase } from "@muster/core/fleet"
import { Duration, Schema } from "effect"
import type { Identity } from "../access/Identity.ts"
import { Role, type StoredToken, TokenKind } from "../access/Token.ts"
import { HttpLimits } from "./HttpLimits.ts"

const time = Schema.String.annotate({
  description: "RFC 3339 in UTC",
  examples: ["2026-01-31T12:00:00.000Z"]
})

/** A time as the API says it. */
const toTime = (millis: number): string => new Date(millis).toISOString()
const toTimeOrNull = (millis: number | undefined): string | null =>
  millis === undefined ? null : toTime(millis)

export const SessionView = Schema.Struct({
  authentication: Schema.Literals(["on", "off"]),
  id: Schema.String,
  name: Schema.String,
  role: Schema.Union([Role, Schema.Literal("machine")]),
  namespaces: Schema.NullOr(Schema.Array(Schema.String)).annotate({ description: "null: all" }),
  ownWorkers: Schema.Boolean,
  expiresAt: Schema.NullOr(time)
}).annotate({ identifier: "Session" })

export const toSessionView = (identity: Identity, isOn: boolean): typeof SessionView.Type => ({
  authentication: isOn ? "on" : "off",
  id: identity.id,
  name: identity.name,
  role: identity.kind === "machine" ? "machine" : identity.role,
  namespaces: identity.namespaces ?? null,
  ownWorkers: identity.ownWorkers || identity.worker !== undefined,
  expiresAt: toTimeOrNull(identity.expiresAt)
})

/** A duration above zero and at most `longest`, as text. */
const durationUpTo = (longest: Duration.Duration) =>
  Schema.DurationFromString.check(
    Schema.makeFilter(
      (duration) =>
        Duration.isGreaterThan(duration, Duration.zero) && Duration.isLessThanOrEqualTo(duration, longest),
      { expected: `a duration above zero and at most ${Duration.format(longest)}, such as "1 hour"` }
    )
  )

/** How long a join token is good at most, and where nothing is said. */
const longestJoin = Duration.days(7)
export const defaultJoin = Duration.hours(1)
const longestGrace = Duration.days(7)
const longestLife = Duration.days(3650)

const name = Schema.String.check(
  Schema.isPattern(/^[^\p{Cc}]{1,128}$/u, {
    expected: "1 to 128 characters, none of them a control character"
  })
).annotate({ description: "What it is for, for people", examples: ["ci-autoscaler"] })

const namespace = Schema.String.check(
  Schema.isPattern(/^[^\p{Cc}]{1,253}$/u, { expected: "a namespace of 1 to 253 characters" })
)

const namespaces = Schema.Array(namespace).check(
  Schema.isMinLength(1, { expected: "at least one namespace" }),
  Schema.isMaxLength(HttpLimits.tokenNamespaces, {
    expected: `at most ${HttpLimits.tokenNamespaces} namespaces`
  })
)

export const SignInRequest = Schema.Struct({
  token: Schema.RedactedFromValue(Schema.String)
}).annotate({ identifier: "SignIn" })

export const TokenRequest = Schema.Struct({
  name,
  role: Role,
  namespaces: Schema.optionalKey(namespaces).annotate({
    description: "Of a provisioner: the namespaces that it is for; all if not given"
  }),
  ownWorkers: Schema.optionalKey(Schema.Boolean).annotate({
    description: "Of a provisioner: it may change only the workers that it registered itself"
  }),
  expiresIn: Schema.optionalKey(durationUpTo(longestLife)).annotate({
    description: "How long it is good; for ever if not given",
    examples: [Duration.days(90)]
  })
}).annotate({ identifier: "TokenRequest" })

export const RotationRequest = Schema.Struct({
  grace: Schema.optionalKey(durationUpTo(longestGrace)).annotate({
    description: "How long the secret before stays good; not at all if not given"
  })
}).annotate({ identifier: "RotationRequest" })

export const TokenView = Schema.Struct({
  id: Schema.String,
  kind: TokenKind,
  name: Schema.String,
  role: Role,
  namespaces: Schema.NullOr(Schema.Array(Schema.String)),
  ownWorkers: Schema.Boolean,
  workerId: Schema.NullOr(Schema.String),
  createdAt: time,
  createdBy: Schema.String,
  expiresAt: Schema.NullOr(time),
  lastUsedAt: Schema.NullOr(time).annotate({ description: "To within a minute" }),
  usedAt: Schema.NullOr(time).annotate({ description: "Of a join token: when a machine joined with it" }),
  revokedAt: Schema.NullOr(time)
}).annotate({ identifier: "Token" })

export const toTokenView = (token: StoredToken): typeof TokenView.Type => ({
  id: token.id,
  kind: token.kind,
  name: token.name,
  role: token.role,
  namespaces: token.namespaces ?? null,
  ownWorkers: token.ownWorkers,
  workerId: token.worker ?? null,
  createdAt: toTime(token.createdAt),
  createdBy: token.createdBy,
  expiresAt: toTimeOrNull(token.expiresAt),
  lastUsedAt: toTimeOrNull(token.lastUsedAt),
  usedAt: toTimeOrNull(token.usedAt),
  revokedAt: toTimeOrNull(token.revokedAt)
})

/** The only answer that has a secret in it. */
export const NewTokenView = Schema.Struct({
  ...TokenView.fields,
  token: Schema.String.annotate({ description: "The secret. It is told this once, and not kept" })
}).annotate({ identifier: "NewToken" })

export const TokenPage = Schema.Struct({
  items: Schema.Array(TokenView),
  nextCursor: Schema.NullOr(Schema.String)
}).annotate({ identifier: "TokenPage" })

export const JoinTokenRequest = Schema.Struct({
  name: Schema.optionalKey(name),
  namespace: Schema.optionalKey(namespace).annotate({ description: "default if not given" }),
  workerId: Schema.optionalKey(WorkerId).annotate({
    description: "The one worker that may join; any new one of the namespace if not given"
  }),
  expiresIn: Schema.optionalKey(durationUpTo(longestJoin)).annotate({
    description: `How long it is good; ${Duration.format(defaultJoin)} if not given`
  })
}).annotate({ identifier: "JoinTokenRequest" })

export const JoinedView = Schema.Struct({
  id: Schema.String,
  generation: Schema.Int,
  phase: Phase,
  credential: Schema.String.annotate({
    description:
      "With it the machine sends heartbeats for this worker, and terminates it; nothing else. It is told this once"
  })
}).annotate({ identifier: "Joined" })

const ChainPlaceView = Schema.Struct({
  sequence: Schema.Int,
  hash: Schema.String.annotate({ description: "SHA-256 in hexadecimal; empty before the first entry" })
}).annotate({ identifier: "ChainPlace" })

/** In the order in which it was written, on which its hash depends. */
export const AuditEntryView = Schema.Struct({
  sequence: Schema.Int,
  hash: Schema.String,
  entry: Schema.Struct({
    at: Schema.Finite,
    actor: Schema.Struct({
      id: Schema.String,
      name: Schema.String,
      role: Schema.String,
      address: Schema.optionalKey(Schema.String)
    }),
    action: Schema.String,
    outcome: Schema.Literals(["done", "refused"]),
    workers: Schema.Array(Schema.Struct({ id: Schema.String, generation: Schema.optionalKey(Schema.Int) })),
    detail: Schema.optionalKey(Schema.String)
  })
}).annotate({ identifier: "AuditEntry" })
export type AuditEntryView = typeof AuditEntryView.Type

export const AuditPage = Schema.Struct({
  items: Schema.Array(AuditEntryView),
  removed: ChainPlaceView.annotate({ description: "The latest entry that was removed because of its age" }),
  latest: ChainPlaceView
}).annotate({ identifier: "AuditPage" })
