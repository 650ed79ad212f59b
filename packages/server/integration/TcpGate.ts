/**
 * A way to a server on this machine that a test can close, in every way in which a network does.
 */
import { Effect, type Scope } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface TcpGate {
  readonly port: number
  /** What is sent waits, neither refused nor answered, and arrives late: once the gate is open again. */
  readonly block: Effect.Effect<void>
  /** What is sent is lost, and nobody is told. Connections that lost something end when the gate is opened again. */
  readonly swallow: Effect.Effect<void>
  /** Ends all connections, and each new one at once. */
  readonly cut: Effect.Effect<void>
  /** Opens it again. */
  readonly unblock: Effect.Effect<void>
  /** Ends all connections, as a router does that has forgotten them. */
  readonly reset: Effect.Effect<void>
}

type State = "open" | "blocked" | "swallowing" | "cut"

/** Connections from a port of this machine, a free one unless it is said which, to the port `target`. */
export const openTcpGate = (
  target: number,
  { host = "127.0.0.1", port = 0 } = {}
): Effect.Effect<TcpGate, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Gate>((resume) => {
        const gate = new Gate(target)
        gate.server.listen(port, host, () => resume(Effect.succeed(gate)))
      }),
      (gate) => Effect.sync(() => gate.close())
    ),
    (gate) => {
      const become = (state: State) => Effect.sync(() => gate.become(state))
      return {
        port: gate.port,
        block: become("blocked"),
        swallow: become("swallowing"),
        cut: become("cut"),
        unblock: become("open"),
        reset: Effect.sync(() => gate.reset())
      }
    }
  )

class Gate {
  readonly server = createServer((socket) => this.accept(socket))
  private readonly target: number
  private readonly sockets = new Set<Socket>()
  /** Both ends of connections of which something was lost. */
  private readonly torn = new Set<Socket>()
  private state: State = "open"

  constructor(target: number) {
    this.target = target
  }

  get port(): number {
    const address = this.server.address()
    return address === null || typeof address === "string" ? 0 : address.port
  }

  become(state: State): void {
    this.state = state
    if (state === "cut") this.reset()
    for (const socket of state === "open" ? this.torn : []) socket.destroy()
    for (const socket of this.sockets) this.turn(socket)
  }

  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private accept(socket: Socket): void {
    if (this.state === "cut") {
      socket.on("error", () => {})
      socket.resetAndDestroy()
      return
    }
    const onward = connect(this.target, "127.0.0.1")
    this.carry(socket, onward)
    this.carry(onward, socket)
  }

  private carry(from: Socket, to: Socket): void {
    this.sockets.add(from)
    // It closes next.
    from.on("error", () => {})
    from.on("close", () => {
      this.sockets.delete(from)
      this.torn.delete(from)
      // Of an end nobody hears either.
      if (this.state === "swallowing") this.torn.add(to)
      else to.destroy()
    })
    from.on("data", (data) => {
      if (this.state !== "swallowing" && !this.torn.has(from)) return void to.write(data)
      this.torn.add(from).add(to)
    })
    this.turn(from)
  }

  private turn(socket: Socket): void {
    if (this.state === "blocked") socket.pause()
    else socket.resume()
  }
}
