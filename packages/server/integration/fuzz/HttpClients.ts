/**
 * Sends inputs: requests through Node's client, and pieces over bare connections, each within a limit of time.
 */
import { Agent, request } from "node:http"
import { connect } from "node:net"
import type { HttpAnswer } from "./AnswerCheck.ts"
import type { HttpInput } from "./HttpInputs.ts"
import type { SocketInput } from "./SocketInputs.ts"

/** Milliseconds within which everything is answered. `Prefer: wait` asks for one second at most. */
export const answerWithin = 10_000

/** What is read of an answer; a listing of the pool's workers with their largest labels stays below. */
const longestAnswer = 64 * 2 ** 20

export class HttpClient {
  private readonly port: number
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 16 })

  constructor(port: number) {
    this.port = port
  }

  /** `undefined`: the connection was closed without an answer. Fails where there is none in time. */
  send({ body, headers, method, target }: HttpInput): Promise<HttpAnswer | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request({
        host: "127.0.0.1",
        port: this.port,
        agent: this.agent,
        method,
        path: target,
        headers: [
          ...headers,
          ...(body === undefined ? [] : [["content-length", String(body.length)] as const])
        ].flat()
      })
      const late = setTimeout(() => {
        reject(new Error(`no answer within ${answerWithin / 1000} seconds`))
        sent.destroy()
      }, answerWithin)
      const done = (answer: HttpAnswer | undefined) => {
        clearTimeout(late)
        resolve(answer)
      }
      sent.on("response", (response) => {
        const chunks: Array<Buffer> = []
        let size = 0
        const answer = () => ({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks)
        })
        // A stream of events goes on; that it begins is all there is to see.
        if (response.headers["content-type"] === "text/event-stream") {
          done(answer())
          sent.destroy()
          return
        }
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size > longestAnswer) sent.destroy()
        })
        response.on("end", () => done(answer()))
        response.on("close", () => done(answer()))
      })
      // The service closes the connection over a body that it does not want to read; so may the next request's be.
      sent.on("error", () => done(undefined))
      sent.end(body)
    })
  }

  close(): void {
    this.agent.destroy()
  }
}

/** What came back on a bare connection until it was closed. Fails where it stays open. */
export const sendPieces = async (port: number, { isDropped, pieces }: SocketInput): Promise<Buffer> => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
  const received: Array<Buffer> = []
  let size = 0
  const closed = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error(`the connection is open after ${answerWithin / 1000} seconds`))
      socket.destroy()
    }, answerWithin)
    socket.on("data", (chunk) => {
      received.push(chunk)
      size += chunk.length
      // A stream of events goes on as long as somebody may read it.
      if (size > longestAnswer || (received.length === 1 && chunk.includes("text/event-stream")))
        socket.destroy()
    })
    socket.on("end", () => socket.end())
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearTimeout(late)
      resolve()
    })
  })
  for (const { bytes, pause } of pieces) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
    else if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve))
    if (!socket.writable) break
    socket.write(bytes)
  }
  if (isDropped) {
    await new Promise((resolve) => setImmediate(resolve))
    socket.destroy()
  } else if (socket.writable) socket.end()
  await closed
  return Buffer.concat(received)
}
