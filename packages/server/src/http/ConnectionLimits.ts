/**
 * How many connections there are, in all and of each client. One too many is told so, if it speaks plain HTTP, and
 * closed: nothing is read from it.
 */
import { Server as TlsServer } from "node:tls"
import type { Server } from "node:net"
import { canonicalAddress, clientNetwork } from "./NetworkAddress.ts"
import { rawAnswer, type RefusedRequest } from "./RefusedRequest.ts"

export interface ConnectionLimitOptions {
  readonly total: number
  readonly perClient: number
  /** Whether a canonical address is only counted among all, since it is not that of one client. */
  readonly isExempt: (address: string) => boolean
}

const tooMany: RefusedRequest = {
  name: "overloaded",
  status: 503,
  title: "The service has as much to do as it takes",
  detail: "As many connections are open as there can be.",
  headers: { "retry-after": "10" }
}

const tooManyOfOne: RefusedRequest = {
  name: "too-many-requests",
  status: 429,
  title: "The client asks too much at once",
  detail: "As many connections of this client are open as one can have.",
  headers: { "retry-after": "10" }
}

export const limitConnections = (
  server: Server,
  { isExempt, perClient, total }: ConnectionLimitOptions
): void => {
  let open = 0
  const ofClient = new Map<string, number>()
  server.on("connection", (socket) => {
    const address = canonicalAddress(socket.remoteAddress ?? "")
    // Closed again before anybody looked at it.
    if (address === undefined) return
    const client = isExempt(address) ? undefined : clientNetwork(address)
    const before = client === undefined ? 0 : (ofClient.get(client) ?? 0)
    if (open >= total || before >= perClient) {
      if (server instanceof TlsServer) return socket.destroy()
      socket.on("error", () => socket.destroy())
      socket.end(rawAnswer(open >= total ? tooMany : tooManyOfOne), () => socket.destroy())
      return
    }
    open++
    if (client !== undefined) ofClient.set(client, before + 1)
    socket.on("close", () => {
      open--
      if (client === undefined) return
      const left = (ofClient.get(client) ?? 1) - 1
      if (left > 0) ofClient.set(client, left)
      else ofClient.delete(client)
    })
  })
}
