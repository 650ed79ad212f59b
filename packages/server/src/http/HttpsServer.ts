/**
 * The HTTP server over TLS. Its certificate is read again when its files change; connections that are open go on.
 */
import { Effect, type Scope } from "effect"
import { createServer, type Server, type ServerOptions } from "node:https"
import type { Socket } from "node:net"
import type { SecureContextOptions, TLSSocket } from "node:tls"
import { followTlsFiles } from "../tls/FollowTlsFiles.ts"
import { type InvalidTlsFiles, readTlsFiles, type TlsFiles, type TlsMaterial } from "../tls/TlsFiles.ts"
import { HttpLimits } from "./HttpLimits.ts"

export interface HttpsServer {
  readonly server: Server
  /** Ends the connections that have not agreed on a key yet, of which the server itself does not know. */
  readonly closeHandshakes: () => void
}

/**
 * With `files.ca`, a client has to show a certificate that is signed by it. The files are looked at until the scope
 * ends.
 */
export const makeHttpsServer = Effect.fnUntraced(function* (
  files: TlsFiles,
  options: ServerOptions
): Effect.fn.Return<HttpsServer, InvalidTlsFiles, Scope.Scope> {
  const loaded = yield* readTlsFiles(files)
  const asksForCertificate = files.ca !== undefined
  const server = createServer({
    ...options,
    ...contextOf(loaded),
    requestCert: asksForCertificate,
    rejectUnauthorized: asksForCertificate,
    handshakeTimeout: HttpLimits.handshakeSeconds * 1000
  })
  const closeHandshakes = trackHandshakes(server)
  yield* followTlsFiles({
    files,
    loaded,
    use: (material) => server.setSecureContext(contextOf(material))
  })
  return { server, closeHandshakes }
})

const contextOf = ({ ca, cert, key }: TlsMaterial): SecureContextOptions => ({
  ca,
  cert,
  key,
  minVersion: "TLSv1.2"
})

const trackHandshakes = (server: Server): (() => void) => {
  const unfinished = new Map<string, Socket>()
  server.on("connection", (socket: Socket) => {
    const ends = endsOf(socket)
    unfinished.set(ends, socket)
    socket.once("close", () => {
      if (unfinished.get(ends) === socket) unfinished.delete(ends)
    })
  })
  server.on("secureConnection", (socket: TLSSocket) => unfinished.delete(endsOf(socket)))
  return () => {
    for (const socket of unfinished.values()) socket.destroy()
  }
}

/** The socket that is encrypted, and the one that it came from, have these in common. */
const endsOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(" ")
