/**
 * Tokens of an identity provider (OpenID Connect): JWTs, checked against the keys that it publishes.
 */
import { Effect } from "effect"
import type { JWTPayload, JWTVerifyGetKey } from "jose"
import type { Identity } from "./Identity.ts"
import type { Role } from "./Token.ts"

/** From a credential to whom it stands for; `undefined`: nobody. */
export type Verifier = (credential: string) => Effect.Effect<Identity | undefined>

/** Who has a value in a claim has a role: `operator=groups:platform`. */
export interface RoleRule {
  readonly role: Role
  /** A claim of the token; what lies deeper after dots, such as `realm_access.roles`. */
  readonly claim: string
  /** What the claim is, or what is one of its elements or of its words. */
  readonly value: string
}

export interface OidcOptions {
  readonly issuer: string
  readonly audience: string
  /** Where the keys are published; absent: where the issuer's metadata say. */
  readonly jwks: string | undefined
  readonly roles: ReadonlyArray<RoleRule>
  /** The claim that names the namespaces that a provisioner is for: without it in a token, none. Absent: all. */
  readonly namespacesClaim: string | undefined
}

/** Only signatures: a secret that both sides know would let whoever checks make tokens, too. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

const longestToken = 16_384

/** How far the clocks may be apart, in seconds. */
const clockTolerance = 30

export const makeVerifier = Effect.fnUntraced(function* (options: OidcOptions): Effect.fn.Return<Verifier> {
  const jose = yield* Effect.promise(() => import("jose"))
  let keys: JWTVerifyGetKey | undefined

  const findKeys = async (): Promise<JWTVerifyGetKey> => {
    if (keys !== undefined) return keys
    const url = options.jwks ?? (await discover(options.issuer))
    return (keys = jose.createRemoteJWKSet(new URL(url), { timeoutDuration: 5000 }))
  }
  const verify = async (token: string): Promise<JWTPayload> => {
    const { issuer, audience } = options
    const { payload } = await jose.jwtVerify(token, await findKeys(), {
      issuer,
      audience,
      algorithms,
      clockTolerance,
      requiredClaims: ["sub", "exp"]
    })
    return payload
  }

  return (credential) =>
    !looksLikeJwt(credential)
      ? Effect.undefined
      : Effect.tryPromise(() => verify(credential)).pipe(
          Effect.map((claims) => toIdentity(options, claims)),
          Effect.catch(({ cause }) =>
            // What is wrong with a token is for the log; it is never repeated there.
            Effect.as(
              isOfTheToken(cause)
                ? Effect.logDebug(`A token of ${options.issuer} was refused: ${reasonOf(cause)}`)
                : Effect.logWarning(`The keys of ${options.issuer} cannot be read: ${reasonOf(cause)}`),
              undefined
            )
          )
        )
})

const looksLikeJwt = (text: string): boolean =>
  text.length <= longestToken && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)

const discover = async (issuer: string): Promise<string> => {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: "error" })
  const metadata: unknown = await response.json()
  if (typeof metadata !== "object" || metadata === null || !("jwks_uri" in metadata)) {
    throw new Error(`${url} names no jwks_uri`)
  }
  if ("issuer" in metadata && metadata.issuer !== issuer) throw new Error(`${url} is of another issuer`)
  return String(metadata.jwks_uri)
}

/** Rather than of the provider, or of the way to it. */
const isOfTheToken = (cause: unknown): boolean =>
  cause instanceof Error &&
  "code" in cause &&
  /^ERR_(JWT|JWS|JWKS_NO|JOSE_ALG|JOSE_NOT)/.test(String(cause.code))

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? ("code" in cause ? String(cause.code) : cause.message) : "unknown"

/** The most that its role allows goes first. */
const ranks: ReadonlyArray<Role> = ["operator", "provisioner", "viewer"]

const toIdentity = ({ namespacesClaim, roles }: OidcOptions, claims: JWTPayload): Identity | undefined => {
  const granted = new Set(
    roles.filter(({ claim, value }) => valuesOf(claims, claim).includes(value)).map(({ role }) => role)
  )
  const role = ranks.find((rank) => granted.has(rank))
  if (role === undefined || claims.sub === undefined) return undefined
  const isForAll = namespacesClaim === undefined || role !== "provisioner"
  const name = valuesOf(claims, "preferred_username")[0] ?? valuesOf(claims, "email")[0] ?? claims.sub
  return {
    id: `oidc:${claims.sub}`.slice(0, 300),
    name: name.slice(0, 128),
    kind: "oidc",
    role,
    namespaces: isForAll ? undefined : valuesOf(claims, namespacesClaim),
    ownWorkers: false,
    worker: undefined,
    expiresAt: claims.exp === undefined ? undefined : claims.exp * 1000
  }
}

/** The texts in a claim: itself, its elements, or its words where it is a list in one text, as `scope` is. */
const valuesOf = (claims: JWTPayload, path: string): ReadonlyArray<string> => {
  let value: unknown = Object.hasOwn(claims, path) ? claims[path] : undefined
  if (value === undefined) {
    value = claims
    for (const name of path.split(".")) {
      value =
        typeof value === "object" && value !== null && Object.hasOwn(value, name)
          ? Object.getOwnPropertyDescriptor(value, name)?.value
          : undefined
    }
  }
  if (typeof value === "string") return [value, ...(value.includes(" ") ? value.split(" ") : [])]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []
}
