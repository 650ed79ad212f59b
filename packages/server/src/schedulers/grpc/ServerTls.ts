/**
 * TLS of a gRPC server whose certificates can be replaced while it serves.
 */
import { ServerCredentials } from "@grpc/grpc-js"
import { Effect, type Scope } from "effect"
import type { SecureContextOptions } from "node:tls"
import { followTlsFiles } from "../../tls/FollowTlsFiles.ts"
import { type InvalidTlsFiles, readTlsFiles, type TlsFiles, type TlsMaterial } from "../../tls/TlsFiles.ts"

/** How long a client may take to agree on a key, in milliseconds. */
const handshakeTimeout = 10_000

/** With `files.ca`, a client has to show a certificate that is signed by it. Follows the files until the scope ends. */
export const serverTls = Effect.fnUntraced(function* (
  files: TlsFiles
): Effect.fn.Return<ServerCredentials, InvalidTlsFiles, Scope.Scope> {
  const loaded = yield* readTlsFiles(files)
  const credentials = new FollowingServerCredentials(files.ca !== undefined, loaded)
  yield* followTlsFiles({ files, loaded, use: (material) => credentials.use(material) })
  return credentials
})

const contextOf = ({ ca, cert, key }: TlsMaterial): SecureContextOptions => ({
  ca,
  cert,
  key,
  minVersion: "TLSv1.2"
})

class FollowingServerCredentials extends ServerCredentials {
  constructor(asksForCertificate: boolean, first: TlsMaterial) {
    super(
      { requestCert: asksForCertificate, rejectUnauthorized: asksForCertificate, handshakeTimeout },
      contextOf(first)
    )
  }

  use(material: TlsMaterial): void {
    this.updateSecureContextOptions(contextOf(material))
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}
