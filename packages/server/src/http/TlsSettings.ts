/**
 * Whether the service speaks HTTPS, and with which files.
 */
import { Effect } from "effect"
import type { TlsFromVariables } from "../tls/TlsVariables.ts"
import { read, text } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"

const aFile = "the path of a file"

/** In the order in which they are shown. */
export const tlsVariables = {
  cert: text({
    name: "MUSTER_TLS_CERT",
    description:
      "HTTPS: a file with the service's certificate, in PEM, and those between it and its CA; without it, HTTP",
    rule: aFile
  }),
  key: text({
    name: "MUSTER_TLS_KEY",
    description: "HTTPS: a file with the certificate's private key, in PEM",
    rule: aFile,
    namesSecretFile: true
  }),
  clientCa: text({
    name: "MUSTER_TLS_CLIENT_CA",
    description:
      "mutual TLS: a file with the CA, in PEM, that has to have signed the certificate of every client; others are refused",
    rule: aFile
  })
}

/** The files, each of them checked, and what they hold; `undefined`: HTTP. */
export const resolveTls = Effect.gen(function* (): Effect.fn.Return<
  TlsFromVariables | undefined,
  WrongUsage
> {
  const { cert, clientCa, key } = tlsVariables
  const given = [yield* read(cert), yield* read(key), yield* read(clientCa)]
  if (given.every((path) => path === undefined)) return undefined
  // The checks bring what reads certificates, which a service without them does not load.
  const { tlsFilesFrom } = yield* Effect.promise(() => import("../tls/TlsVariables.ts"))
  const tls = yield* tlsFilesFrom({ ca: clientCa, cert, key })
  if (tls.files.cert === undefined) {
    return yield* new WrongUsage({ message: `${clientCa.name} needs ${cert.name} and ${key.name}` })
  }
  return tls
})
