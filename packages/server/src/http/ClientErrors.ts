/**
 * Requests that Node's parser refuses, or that Node would answer itself, never reach a route. They too are answered with
 * a problem document, and the connection is closed, since what follows on it cannot be understood. So is one with too
 * many requests at once. Where TLS failed, or the connection itself, there is nobody to answer.
 */
import { Predicate } from "effect"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { HttpLimits } from "./HttpLimits.ts"
import { problemDocument, problemHeaders, rawAnswer, refused, type RefusedRequest } from "./RefusedRequest.ts"

const byCode = new Map<string, RefusedRequest>([
  ["HPE_HEADER_OVERFLOW", refused.headers],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", refused.chunkExtensions],
  ["HPE_INVALID_VERSION", refused.version],
  ["HPE_PAUSED_H2_UPGRADE", refused.version],
  ["ERR_HTTP_REQUEST_TIMEOUT", refused.timeout]
])

export const answerClientErrors = (server: Server): void => {
  const unanswered = new WeakMap<Duplex, Set<ServerResponse>>()
  onRequest(server, ({ socket }, response) => {
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
    socket.end(rawAnswer(isTarget(code, error) ? refused.target : (byCode.get(code) ?? refused.malformed)))
  })
  server.on("connect", (_, socket) => {
    socket.on("error", () => socket.destroy())
    socket.end(rawAnswer(refused.method))
  })
  server.on("checkExpectation", (_, response) => {
    const document = problemDocument(refused.expectation)
    response.writeHead(refused.expectation.status, {
      ...problemHeaders(refused.expectation),
      "content-length": Buffer.byteLength(document)
    })
    response.end(document)
  })
}

const isOfHttp = (code: string): boolean => code.startsWith("HPE_") || code.startsWith("ERR_HTTP_")

/** Whether what did not fit was the first line: all of what was read last, if the request came in one piece. */
const isTarget = (code: string, error: Error): boolean =>
  code === "HPE_HEADER_OVERFLOW" &&
  Predicate.hasProperty(error, "rawPacket") &&
  Buffer.isBuffer(error.rawPacket) &&
  /^[A-Z]+ [^ ]+$/.test(error.rawPacket.toString("latin1", 0, 16 * 1024))

/** For each request, also for one that waits for `100 Continue` before it sends its body: Node keeps them apart. */
export const onRequest = (
  server: Server,
  listener: (request: IncomingMessage, response: ServerResponse) => void
): void => {
  server.on("request", listener)
  server.on("checkContinue", listener)
}

/** Whether what is written now is the answer to what was refused, and not a part of another answer or in its place. */
const canAnswer = (unanswered: ReadonlySet<ServerResponse> = new Set()): boolean =>
  unanswered.size <= 1 &&
  Array.from(unanswered).every(({ headersSent, req }) => !headersSent && !req.complete)
