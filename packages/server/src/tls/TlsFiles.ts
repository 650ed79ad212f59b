/**
 * Certificates and keys as they lie in files, PEM: read together, and checked before anything is encrypted with them.
 * What is wrong is told with the name of the variable or flag and the path of the file; nothing of a key ever is.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Clock, Effect, FileSystem, Schema } from "effect"
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { createSecureContext } from "node:tls"

/** A file, and what messages call it by: the variable or flag that names it. */
export interface TlsFile {
  readonly name: string
  readonly path: string
}

/** `cert` and `key` are there together, or neither is. */
export interface TlsFiles {
  /** Certificates of those whose signature is trusted. */
  readonly ca?: TlsFile | undefined
  /** The certificate of this side first, then those between it and the one that signed it in the end. */
  readonly cert?: TlsFile | undefined
  readonly key?: TlsFile | undefined
}

/** What the files hold. */
export interface TlsMaterial {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** When this side's certificate ends, in milliseconds since 1970; `undefined` without one. */
  readonly endsAt: number | undefined
}

/** The files cannot be used. */
export class InvalidTlsFiles extends Schema.TaggedError<InvalidTlsFiles>("@muster/server/InvalidTlsFiles")(
  "InvalidTlsFiles",
  { message: Schema.String }
) {}

/** Bytes that a file with certificates may have: more than those of every authority that browsers trust. */
const mostBytes = 4 * 2 ** 20

/** Reads and checks them. Fails where one cannot be read or used, is expired, or where key and certificate differ. */
export const readTlsFiles = Effect.fnUntraced(function* ({
  ca: caFile,
  cert: certFile,
  key: keyFile
}: TlsFiles): Effect.fn.Return<TlsMaterial, InvalidTlsFiles> {
  const [ca, cert, key] = yield* Effect.all([contentOf(caFile), contentOf(certFile), contentOf(keyFile)])
  if (caFile !== undefined && ca !== undefined) yield* certificatesIn(caFile, ca)
  let endsAt: number | undefined
  if (certFile !== undefined && keyFile !== undefined && cert !== undefined && key !== undefined) {
    const own = yield* certificatesIn(certFile, cert)
    const privateKey = yield* privateKeyIn(keyFile, key)
    if (!own.checkPrivateKey(privateKey)) {
      return yield* invalid(
        keyFile,
        `is not the key of the certificate in ${certFile.path} (${certFile.name})`
      )
    }
    endsAt = yield* checkDates(certFile, own)
    yield* Effect.try({
      try: () => createSecureContext({ ca, cert, key, minVersion: "TLSv1.2" }),
      catch: (error) => invalid(certFile, `cannot be used: ${reasonOf(error)}`)
    })
  }
  return { ca, cert, key, endsAt }
})

const invalid = ({ name, path }: TlsFile, what: string) =>
  new InvalidTlsFiles({ message: `${name}: ${path} ${what}` })

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

const contentOf = (file: TlsFile | undefined): Effect.Effect<string | undefined, InvalidTlsFiles> =>
  file === undefined
    ? Effect.undefined
    : Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const { size } = yield* files.stat(file.path)
        if (size > mostBytes) return yield* invalid(file, "is too large for a file with certificates")
        return yield* files.readFileString(file.path)
      }).pipe(
        Effect.catchTag("PlatformError", ({ reason }) =>
          Effect.fail(invalid(file, `cannot be read: ${reason._tag}`))
        ),
        Effect.provide(NodeFileSystem.layer)
      )

const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

/** The first of them, when all can be read. */
const certificatesIn = (file: TlsFile, pem: string): Effect.Effect<X509Certificate, InvalidTlsFiles> => {
  const blocks = pem.match(certificatePattern) ?? []
  const begun = pem.split("-----BEGIN CERTIFICATE-----").length - 1
  if (blocks.length === 0 || blocks.length < begun) {
    return Effect.fail(
      invalid(file, begun === 0 ? "holds no certificate in PEM" : "ends within a certificate")
    )
  }
  return Effect.flatMap(
    Effect.try({
      try: () => blocks.map((block) => new X509Certificate(block)),
      catch: () => invalid(file, "holds a damaged certificate")
    }),
    ([first]) => (first === undefined ? Effect.fail(invalid(file, "is empty")) : Effect.succeed(first))
  )
}

const privateKeyIn = (file: TlsFile, pem: string): Effect.Effect<KeyObject, InvalidTlsFiles> =>
  Effect.try({
    try: () => createPrivateKey(pem),
    // What OpenSSL says of it helps nobody, and might quote it.
    catch: () =>
      invalid(
        file,
        pem.includes("ENCRYPTED")
          ? "is encrypted with a passphrase, which nobody can type for a service"
          : "holds no private key in PEM"
      )
  })

const checkDates = Effect.fnUntraced(function* (
  file: TlsFile,
  { validFrom, validTo }: X509Certificate
): Effect.fn.Return<number, InvalidTlsFiles> {
  const now = yield* Clock.currentTimeMillis
  const endsAt = Date.parse(validTo)
  if (endsAt <= now) return yield* invalid(file, `has expired, at ${new Date(endsAt).toISOString()}`)
  const beginsAt = Date.parse(validFrom)
  if (beginsAt > now) return yield* invalid(file, `is valid only from ${new Date(beginsAt).toISOString()}`)
  return endsAt
})
