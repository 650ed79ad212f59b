/**
 * Requests that are refused for what they are, whatever they ask for: by the parser, or before a route is looked for.
 * What follows on their connection cannot be trusted, so it is closed behind the answer.
 */
import { STATUS_CODES } from "node:http"

export interface RefusedRequest {
  /** What stands behind `urn:muster:problem:`. */
  readonly name: string
  readonly status: number
  readonly title: string
  readonly detail?: string | undefined
  /** Beside those that every problem has. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export const refused = {
  malformed: { name: "malformed-request", status: 400, title: "The request is not HTTP" },
  method: {
    name: "method-not-allowed",
    status: 405,
    title: "The method is not allowed here",
    detail: "This is no proxy.",
    headers: { allow: "GET, HEAD, POST, DELETE, OPTIONS" }
  },
  timeout: { name: "request-timeout", status: 408, title: "The request took too long to arrive" },
  chunkExtensions: {
    name: "content-too-large",
    status: 413,
    title: "The body's chunk extensions are too large"
  },
  target: { name: "uri-too-long", status: 414, title: "The request's address is too long" },
  expectation: {
    name: "expectation-failed",
    status: 417,
    title: "The request expects what is not known here",
    detail: "Only 100-continue can be expected."
  },
  headers: { name: "header-fields-too-large", status: 431, title: "The request's headers are too large" },
  transferCoding: {
    name: "transfer-coding-not-supported",
    status: 501,
    title: "The transfer coding is not supported",
    detail: "Only chunked is."
  },
  version: {
    name: "http-version-not-supported",
    status: 505,
    title: "The version of HTTP is not supported",
    detail: "HTTP/1.1 and HTTP/1.0 are."
  }
} as const satisfies Record<string, RefusedRequest>

export const problemDocument = ({ detail, name, status, title }: RefusedRequest): string =>
  JSON.stringify({ type: `urn:muster:problem:${name}`, status, title, detail })

export const problemHeaders = ({ headers }: RefusedRequest): Readonly<Record<string, string>> => ({
  ...headers,
  "content-type": "application/problem+json",
  connection: "close"
})

/** The whole answer, for a connection that is not read as HTTP, or not any more. */
export const rawAnswer = (request: RefusedRequest): string => {
  const body = problemDocument(request)
  const headers = Object.entries({ ...problemHeaders(request), "content-length": Buffer.byteLength(body) })
  return [
    `HTTP/1.1 ${request.status} ${STATUS_CODES[request.status]}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    "",
    body
  ].join("\r\n")
}
