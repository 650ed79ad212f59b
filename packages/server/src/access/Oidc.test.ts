import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose"
import { createServer, type Server } from "node:http"
import { makeVerifier, type OidcOptions } from "./Oidc.ts"

type Key = Awaited<ReturnType<typeof generateKeyPair>>["privateKey"]

let key: Key
let strangersKey: Key
let publicKey: object
beforeAll(async () => {
  const pair = await generateKeyPair("ES256")
  key = pair.privateKey
  publicKey = { ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256", use: "sig" }
  strangersKey = (await generateKeyPair("ES256")).privateKey
})

const issuer = "https://id.example"

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

/** A provider that publishes its key, until the scope ends. */
const provider = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = createServer((request, response) => {
      const isMetadata = request.url === "/.well-known/openid-configuration"
      const own = `http://127.0.0.1:${portOf(server)}`
      response.setHeader("content-type", "application/json")
      response.end(
        JSON.stringify(isMetadata ? { issuer: own, jwks_uri: `${own}/keys` } : { keys: [publicKey] })
      )
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { url: `http://127.0.0.1:${portOf(server)}`, server }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

const roles: OidcOptions["roles"] = [
  { role: "operator", claim: "groups", value: "platform" },
  { role: "provisioner", claim: "realm_access.roles", value: "ci runners" },
  { role: "viewer", claim: "scope", value: "muster.read" }
]

const sign = (
  claims: JWTPayload,
  { audience = "muster", by = key, from = issuer, expires = "1 hour" } = {}
): Effect.Effect<string> =>
  Effect.promise(() =>
    new SignJWT({ sub: "u1", ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setIssuer(from)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(by)
  )

const withVerifier = Effect.gen(function* () {
  const { url } = yield* provider
  return yield* makeVerifier({
    issuer,
    audience: "muster",
    jwks: `${url}/keys`,
    roles,
    namespacesClaim: "namespaces"
  })
})

describe("a token of an identity provider", () => {
  it.live("stands for whoever its claims say, with the most that a rule gives", () =>
    Effect.gen(function* () {
      const verify = yield* withVerifier
      const identityOf = (claims: JWTPayload) => Effect.flatMap(sign(claims), verify)
      assert.deepInclude(yield* identityOf({ groups: ["x", "platform"], email: "a@example.com" }), {
        id: "oidc:u1",
        name: "a@example.com",
        kind: "oidc",
        role: "operator"
      })
      assert.deepInclude(yield* identityOf({ scope: "openid muster.read", groups: "platform" }), {
        role: "operator"
      })
      assert.deepInclude(yield* identityOf({ scope: "openid muster.read" }), { role: "viewer" })
      const provisioner = { realm_access: { roles: ["ci runners"] } }
      assert.deepInclude(yield* identityOf({ ...provisioner, namespaces: ["ci"] }), {
        role: "provisioner",
        namespaces: ["ci"]
      })
      // A claim that should narrow it and is not there gives nothing.
      assert.deepInclude(yield* identityOf(provisioner), { namespaces: [] })
    }).pipe(Effect.scoped)
  )

  it.live("stands for nobody where anything about it is not as it has to be", () =>
    Effect.gen(function* () {
      const verify = yield* withVerifier
      const operator = { groups: ["platform"] }
      const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(
        JSON.stringify({ ...operator, iss: issuer, aud: "muster", sub: "u1", exp: 9e9 })
      ).toString("base64url")}.`
      const good = yield* sign(operator)
      const tokens = [
        yield* sign(operator, { audience: "other" }),
        yield* sign(operator, { from: "https://evil.example" }),
        yield* sign(operator, { by: strangersKey }),
        yield* sign(operator, { expires: "-1 minute" }),
        yield* sign({ groups: ["others"] }),
        yield* sign({ groups: { platform: true } }),
        unsigned,
        `${unsigned}x`,
        good.slice(0, -2),
        "a.b.c",
        "x".repeat(100_000)
      ]
      for (const token of tokens) assert.isUndefined(yield* verify(token))
      assert.isDefined(yield* verify(good))
    }).pipe(Effect.scoped)
  )

  it.live("is checked with the keys that the provider's metadata name", () =>
    Effect.gen(function* () {
      const { url } = yield* provider
      const options = { audience: "muster", jwks: undefined, roles, namespacesClaim: undefined }
      const verify = yield* makeVerifier({ ...options, issuer: url })
      const token = yield* sign({ groups: ["platform"] }, { from: url })
      assert.deepInclude(yield* verify(token), { role: "operator" })
      // A provider that cannot be reached stands for nobody, and does not fail.
      const nowhere = yield* makeVerifier({ ...options, issuer: "http://127.0.0.1:9" })
      assert.isUndefined(yield* nowhere(token))
    }).pipe(Effect.scoped)
  )
})
