/**
 * Whether callers have to show who they are, and whose word is taken for that.
 */
import { Duration, Effect, Option, Redacted, Schema } from "effect"
import { isLoopbackHost } from "../http/LoopbackHost.ts"
import { durationOrOff, oneOf, read, text, variable } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"
import type { OidcOptions, RoleRule } from "./Oidc.ts"
import { Role } from "./Token.ts"

export interface AccessSettings {
  readonly isOn: boolean
  readonly operatorToken: Redacted.Redacted | undefined
  readonly oidc: OidcOptions | undefined
  /** Entries of the audit log are kept for so long. */
  readonly auditRetention: Duration.Duration
}

const shortestToken = 32

/** `ROLE=CLAIM:VALUE`, separated by commas. */
const parseRoles = (given: string): ReadonlyArray<RoleRule> | undefined => {
  const rules = given.split(",").map((rule): RoleRule | undefined => {
    const [, role, claim, value] = /^\s*(\w+)=([^:\s]+):(.+?)\s*$/.exec(rule) ?? []
    return Schema.is(Role)(role) && claim !== undefined && value !== undefined
      ? { role, claim, value }
      : undefined
  })
  const known = rules.filter((rule) => rule !== undefined)
  return known.length === rules.length ? known : undefined
}

const rolesRule = "rules such as operator=groups:platform,viewer=groups:engineering, separated by commas"

const RoleRules = Schema.String.check(
  Schema.makeFilter((given) => parseRoles(given) !== undefined, { expected: rolesRule })
)

/** An address that nobody on the way can answer for: https, or this machine itself. */
const isSafeUrl = (given: string): boolean =>
  URL.canParse(given) &&
  (new URL(given).protocol === "https:" ||
    (new URL(given).protocol === "http:" && isLoopbackHost(new URL(given).hostname)))

const SafeUrl = Schema.String.check(Schema.makeFilter(isSafeUrl, { expected: "an https:// address" }))

export const accessVariables = {
  auth: oneOf({
    name: "MUSTER_AUTH",
    description: "whether callers have to show a token; `off` only where nobody but this machine can call",
    values: ["off", "on"],
    fallback: "off"
  }),
  operatorToken: variable<string | undefined>({
    name: "MUSTER_OPERATOR_TOKEN",
    description: "a token that makes its bearer an operator: the first one, with which others are made",
    schema: Schema.String.check(Schema.isMinLength(shortestToken), Schema.isPattern(/^[\x21-\x7e]+$/)),
    rule: `at least ${shortestToken} printable characters without a space; \`muster tokens generate\` prints one`,
    fallback: undefined,
    isSecret: true
  }),
  oidcIssuer: variable<string | undefined>({
    name: "MUSTER_OIDC_ISSUER",
    description: "the identity provider whose tokens are taken, as it calls itself in `iss`",
    schema: SafeUrl,
    rule: "an https:// address",
    fallback: undefined
  }),
  oidcAudience: text({
    name: "MUSTER_OIDC_AUDIENCE",
    description: "whom the provider's tokens have to be for (`aud`)",
    rule: "the audience of the provider's tokens"
  }),
  oidcJwks: variable<string | undefined>({
    name: "MUSTER_OIDC_JWKS",
    description: "where the provider's keys are, if not where its metadata say",
    schema: SafeUrl,
    rule: "an https:// address",
    fallback: undefined
  }),
  oidcRoles: variable<string | undefined>({
    name: "MUSTER_OIDC_ROLES",
    description: "which claims of a provider's token give which role",
    schema: RoleRules,
    rule: rolesRule,
    fallback: undefined
  }),
  oidcNamespaces: text({
    name: "MUSTER_OIDC_NAMESPACES",
    description: "the claim that names the namespaces that a provisioner is for; without one it is for all",
    rule: "the name of a claim"
  }),
  auditRetention: durationOrOff({
    name: "MUSTER_AUDIT_RETENTION",
    description: "how long entries of the audit log are kept; `off`: for ever",
    fallback: Duration.days(365)
  })
}

export const resolveAccess = Effect.fnUntraced(function* (
  host: string
): Effect.fn.Return<AccessSettings, WrongUsage> {
  const isOn = (yield* read(accessVariables.auth)) === "on"
  if (!isOn && !isLoopbackHost(host)) return yield* new WrongUsage({ message: openToAll(host) })
  const operatorToken = yield* read(accessVariables.operatorToken)
  return {
    isOn,
    operatorToken: operatorToken === undefined ? undefined : Redacted.make(operatorToken),
    oidc: yield* resolveOidc,
    auditRetention: yield* read(accessVariables.auditRetention)
  }
})

const resolveOidc = Effect.gen(function* (): Effect.fn.Return<OidcOptions | undefined, WrongUsage> {
  const issuer = yield* read(accessVariables.oidcIssuer)
  if (issuer === undefined) return undefined
  const audience = yield* needed("MUSTER_OIDC_AUDIENCE", yield* read(accessVariables.oidcAudience))
  const rules = yield* needed("MUSTER_OIDC_ROLES", yield* read(accessVariables.oidcRoles))
  return {
    issuer,
    audience,
    jwks: yield* read(accessVariables.oidcJwks),
    roles: parseRoles(rules) ?? [],
    namespacesClaim: yield* read(accessVariables.oidcNamespaces)
  }
})

const needed = (name: string, value: string | undefined): Effect.Effect<string, WrongUsage> =>
  Effect.mapError(
    Effect.fromOption(Option.fromUndefinedOr(value)),
    () => new WrongUsage({ message: `MUSTER_OIDC_ISSUER needs ${name}, too` })
  )

const openToAll = (host: string): string =>
  `Others reach ${host}, and whoever can register a worker is sent jobs and their secrets: without authentication ` +
  "this service listens only on this machine (127.0.0.1). To open it: write a token into a file with " +
  "`muster tokens generate > operator.token`, set MUSTER_AUTH=on and MUSTER_OPERATOR_TOKEN_FILE=operator.token, and start again. " +
  "docs/security.md has the rest."
