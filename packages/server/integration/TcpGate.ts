/**
 * A way to a server on this machine that a test can block: what comes through is then neither refused nor answered.
 */
import { Effect, type Scope } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface TcpGate {
  readonly port: number
  readonly block: Effect.Effect<void>
  readonly unblock: Effect.Effect<void>
  /** Ends all connections, as a router does that has forgotten them. */
  readonly reset: Effect.Effect<void>
}

export const openTcpGate = (target: number): Effect.Effect<TcpGate, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{
        port: number
        sockets: Set<Socket>
        close: () => void
        block: (is: boolean) => void
      }>((resume) => {
        const sockets = new Set<Socket>()
        let isBlocked = false
        const server = createServer((socket) => {
          const onward = connect(target, "127.0.0.1")
          for (const [from, to] of [
            [socket, onward],
            [onward, socket]
          ] as const) {
            sockets.add(from)
            from.on("error", () => to.destroy())
            from.on("close", () => {
              sockets.delete(from)
              to.destroy()
            })
            from.on("data", (data) => to.write(data))
            if (isBlocked) from.pause()
          }
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          if (address === null || typeof address === "string") return
          resume(
            Effect.succeed({
              port: address.port,
              sockets,
              close: () => server.close(),
              block: (is) => {
                isBlocked = is
                for (const socket of sockets) {
                  if (is) socket.pause()
                  else socket.resume()
                }
              }
            })
          )
        })
      }),
      ({ close, sockets }) =>
        Effect.sync(() => {
          close()
          for (const socket of sockets) socket.destroy()
        })
    ),
    ({ block, port, sockets }) => ({
      port,
      block: Effect.sync(() => block(true)),
      unblock: Effect.sync(() => block(false)),
      reset: Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
    })
  )
