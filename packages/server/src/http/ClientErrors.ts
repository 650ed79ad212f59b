/**
 * Requests that Node's parser refuses never reach a route. They too are answered with a problem document, and the
 * connection is closed, since what follows on it cannot be understood. So is one with too many requests at once.
 * Where TLS failed, or the connection itself, there is nobody to answer.
 */
import { Predicate } from "effect"
import type { Server, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { HttpLimits } from "./HttpLimits.ts"

const malformed = ["malformed-request", 400, "The request is not HTTP"] as const

const problems = new Map<string, readonly [name: string, status: number, title: string]>([
  ["HPE_HEADER_OVERFLOW", ["header-fields-too-large", 431, "The request's headers are too large"]],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", ["content-too-large", 413, "The body's chunk extensions are too large"]],
  ["ERR_HTTP_REQUEST_TIMEOUT", ["request-timeout", 408, "The request took too long to arrive"]]
])

const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  413: "Content Too Large",
  431: "Request Header Fields Too Large"
}

export const answerClientErrors = (server: Server): void => {
  const unanswered = new WeakMap<Duplex, Set<ServerResponse>>()
  server.on("request", ({ socket }, response) => {
    const responses = unanswered.get(socket) ?? new Set()
    unanswered.set(socket, responses.add(response))
    response.on("close", () => responses.delete(response))
    // Node reads all requests that are there and keeps their answers, however many and large they are.
    if (responses.size > HttpLimits.pipelined) socket.destroy()
  })
  server.on("clientError", (error, socket) => {
    const code = Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : ""
    const isNext = canAnswer(unanswered.get(socket))
    if (!isOfHttp(code) || !socket.writable || !isNext) return socket.destroy()
    const [name, status, title] = problems.get(code) ?? malformed
    const body = JSON.stringify({ type: `urn:muster:problem:${name}`, status, title })
    socket.end(
      `HTTP/1.1 ${status} ${reasons[status]}\r\ncontent-type: application/problem+json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
    )
  })
}

const isOfHttp = (code: string): boolean => code.startsWith("HPE_") || code.startsWith("ERR_HTTP_")

/** Whether what is written now is the answer to what was refused, and not a part of another answer or in its place. */
const canAnswer = (unanswered: ReadonlySet<ServerResponse> = new Set()): boolean =>
  unanswered.size <= 1 &&
  Array.from(unanswered).every(({ headersSent, req }) => !headersSent && !req.complete)
