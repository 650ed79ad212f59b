/** Stands between an engine and PostgreSQL, and counts how often the engine waits for an answer. */
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/**
 * A round trip is that something is sent after something was received on the same connection: what is sent without
 * waiting belongs to the same one.
 */
export class Relay implements AsyncDisposable {
  roundTrips = 0
  private readonly sockets = new Set<Socket>()
  private readonly server

  private constructor(target: number) {
    this.server = createServer((client) => {
      const database = connect(target, "127.0.0.1")
      let isWaiting = false
      client.on("data", (data) => {
        if (!isWaiting) this.roundTrips++
        isWaiting = true
        database.write(data)
      })
      database.on("data", (data) => {
        isWaiting = false
        client.write(data)
      })
      for (const socket of [client, database]) {
        this.sockets.add(socket)
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.on("close", () => {
          this.sockets.delete(socket)
          client.destroy()
          database.destroy()
        })
      }
    })
  }

  static async open(target: number): Promise<Relay> {
    const relay = new Relay(target)
    relay.server.listen(0, "127.0.0.1")
    await once(relay.server, "listening")
    return relay
  }

  /** The same database by way of this. */
  through(store: string): string {
    const address = this.server.address()
    const url = new URL(store)
    if (address !== null && typeof address === "object") url.port = String(address.port)
    return url.href
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
    await once(this.server, "close")
  }
}
