/**
 * A connection that sends requests one after another and reads of the answers no more than it must, so that the client
 * needs a fraction of what the server does.
 */
import { connect, type Socket } from "node:net"

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

export class HttpConnection {
  private readonly socket: Socket
  private chunks: Array<string> = []
  /** Characters that are still to come; infinite where only the end tells. */
  private missing: number | undefined
  private waiting: PromiseWithResolvers<HttpAnswer> | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk: Buffer) => this.receive(chunk.toString("latin1")))
    socket.on("error", (error) => this.waiting?.reject(error))
    socket.on("close", () => this.waiting?.reject(new Error("the server closed the connection")))
  }

  static open(port: number): Promise<HttpConnection> {
    const { promise, reject, resolve } = Promise.withResolvers<HttpConnection>()
    const socket = connect(port, "127.0.0.1", () => resolve(new HttpConnection(socket)))
    socket.on("error", reject)
    return promise
  }

  /** Sends a whole request, head and body, in ASCII. */
  send(request: string): Promise<HttpAnswer> {
    this.waiting = Promise.withResolvers()
    if (this.socket.destroyed) this.waiting.reject(new Error("the connection is closed"))
    this.socket.write(request, "latin1")
    return this.waiting.promise
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(chunk: string): void {
    this.chunks.push(chunk)
    if (this.missing === undefined) {
      const begin = this.chunks.length === 1 ? chunk : this.chunks.join("")
      const headEnd = begin.indexOf("\r\n\r\n")
      if (headEnd === -1) return
      const length = /\r\ncontent-length: *(\d+)/i.exec(begin.slice(0, headEnd + 2))?.[1]
      this.missing = length === undefined ? Infinity : Number(length) - (begin.length - headEnd - 4)
    } else {
      this.missing -= chunk.length
    }
    if (this.missing <= 0 || (this.missing === Infinity && this.endsChunked())) this.answer()
  }

  private endsChunked(): boolean {
    return this.chunks
      .slice(-5)
      .map((chunk) => chunk.slice(-5))
      .join("")
      .endsWith("0\r\n\r\n")
  }

  private answer(): void {
    const whole = this.chunks.length === 1 ? (this.chunks[0] ?? "") : this.chunks.join("")
    this.chunks = []
    this.missing = undefined
    this.waiting?.resolve({
      status: Number(whole.slice(9, 12)),
      body: whole.slice(whole.indexOf("\r\n\r\n") + 4)
    })
  }
}

/** A `POST` of ASCII. */
export const post = (path: string, body: string, type = "application/json"): string =>
  `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
