/**
 * Credentials that Muster makes itself: a name to look one up by, and a secret of 256 bits, of which only the digest is
 * kept. A secret that long cannot be guessed from its digest, so a slow hash would protect nothing.
 */
import { Redacted, Schema } from "effect"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

/** What a credential lets its bearer do; see docs/security.md. */
export const Role = Schema.Literals(["viewer", "provisioner", "operator"])
export type Role = typeof Role.Type

/**
 * `token`: given out by an operator. `session`: of the console, behind a cookie. `join`: registers one machine, once.
 * `machine`: what a machine gets that has joined.
 */
export const TokenKind = Schema.Literals(["token", "session", "join", "machine"])
export type TokenKind = typeof TokenKind.Type

/** All times are milliseconds since 1970. */
export interface StoredToken {
  readonly id: string
  readonly kind: TokenKind
  /** For people; at most 128 characters. */
  readonly name: string
  /** SHA-256 of the secret, in base64. */
  readonly digest: string
  /** Of the secret before the latest rotation, while that is still good. */
  readonly previous: { readonly digest: string; readonly until: number } | undefined
  /** Of a join token and a machine's credential: `provisioner`, within the narrower bounds of their kind. */
  readonly role: Role
  /** The namespaces that it is for; absent: all. */
  readonly namespaces: ReadonlyArray<string> | undefined
  /** It may change only the workers that it provisioned itself. */
  readonly ownWorkers: boolean
  /** The worker that it is for, of a machine's credential always, of a join token where it is bound to one. */
  readonly worker: string | undefined
  /** The credential with which it was made: a session and a join token end with it. */
  readonly parent: string | undefined
  readonly createdAt: number
  /** The id of who made it. */
  readonly createdBy: string
  readonly expiresAt: number | undefined
  /** To within a minute. */
  readonly lastUsedAt: number | undefined
  /** Of a join token: when it was used up. */
  readonly usedAt: number | undefined
  readonly revokedAt: number | undefined
}

const pattern = /^muster_([0-9a-f]{16})_([0-9A-Za-z_-]{43})$/

/** A new credential: what its bearer is told once, and what is kept. */
export interface NewSecret {
  readonly id: string
  readonly digest: string
  readonly secret: Redacted.Redacted
}

/** `id`: where it takes the place of another secret. */
export const newSecret = (id: string = randomBytes(8).toString("hex")): NewSecret => {
  const secret = randomBytes(32).toString("base64url")
  return { id, digest: digestOf(secret), secret: Redacted.make(`muster_${id}_${secret}`) }
}

/** The parts of a credential that looks like one of Muster's. */
export const parseSecret = (text: string): { readonly id: string; readonly digest: string } | undefined => {
  const [, id, secret] = pattern.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, digest: digestOf(secret) }
}

export const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("base64")

/** In a time that does not depend on where they differ. */
export const isSameDigest = (left: string, right: string): boolean => {
  const [a, b] = [Buffer.from(left), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Whether a secret with this digest is the token's at a time. */
export const isSecretOf = ({ digest, previous }: StoredToken, given: string, now: number): boolean => {
  const isCurrent = isSameDigest(digest, given)
  const wasBefore = previous !== undefined && previous.until > now && isSameDigest(previous.digest, given)
  return isCurrent || wasBefore
}

/** Not used up, not revoked, not over. */
export const isValidAt = ({ expiresAt, revokedAt, usedAt }: StoredToken, now: number): boolean =>
  revokedAt === undefined && usedAt === undefined && (expiresAt === undefined || expiresAt > now)
