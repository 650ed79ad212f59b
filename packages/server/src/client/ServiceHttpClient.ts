/**
 * How the commands reach a service: by HTTP, or by HTTPS with the certificates that the environment names.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import type { ConnectionOptions } from "node:tls"
import { withConfiguredToken } from "./ClientToken.ts"
import type { TlsFromVariables } from "../tls/TlsVariables.ts"
import { read, text } from "../Variables.ts"
import type { WrongUsage } from "../WrongUsage.ts"

const aFile = "the path of a file"

/** In the order in which they are shown. */
export const clientTlsVariables = {
  ca: text({
    name: "MUSTER_CA",
    description: "with https://: a file with the CA, in PEM, that the service's certificate is signed by",
    rule: aFile,
    defaultText: "those that Node trusts"
  }),
  cert: text({
    name: "MUSTER_CLIENT_CERT",
    description: "with https://: a file with the certificate, in PEM, that the commands show the service",
    rule: aFile
  }),
  key: text({
    name: "MUSTER_CLIENT_KEY",
    description: "with https://: a file with its private key, in PEM",
    rule: aFile,
    namesSecretFile: true
  })
}

/** With the certificates that the variables name. Building it fails where a file that is named cannot be used. */
export const plainHttpClient: Layer.Layer<HttpClient.HttpClient, WrongUsage> = Layer.unwrap(
  Effect.gen(function* () {
    const given = yield* Effect.forEach(Object.values(clientTlsVariables), (variable) => read(variable))
    // Without certificates, what reads them is not loaded.
    if (given.every((path) => path === undefined)) return NodeHttpClient.layerUndici
    return clientWith(yield* resolveClientTls)
  })
)

/** The same, with the token that the environment names. */
export const serviceHttpClient = Layer.provide(withConfiguredToken, plainHttpClient)

/**
 * For the service of this very machine and configuration, which shows the certificate in this file, whatever name that
 * is for and whoever has signed it.
 */
export const ownServiceHttpClient = ({
  material: { cert }
}: TlsFromVariables): Layer.Layer<HttpClient.HttpClient, WrongUsage> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { X509Certificate } = yield* Effect.promise(() => import("node:crypto"))
      const own = new X509Certificate(cert ?? "")
      return clientWith({
        ...(yield* resolveClientTls),
        ca: cert,
        allowPartialTrustChain: true,
        checkServerIdentity: (_, { raw }) =>
          raw.equals(own.raw) ? undefined : new Error("another certificate")
      })
    })
  )

type Certificates = Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "allowPartialTrustChain" | "checkServerIdentity"
>

const clientWith = (connect: Certificates) => NodeHttpClient.layerUndiciOptions({ connect })

/** What the files hold that the variables name. Fails where one cannot be used. */
export const resolveClientTls = Effect.gen(function* () {
  const { tlsFilesFrom } = yield* Effect.promise(() => import("../tls/TlsVariables.ts"))
  const { ca, cert, key } = (yield* tlsFilesFrom(clientTlsVariables)).material
  return { ca, cert, key } satisfies Certificates
})
