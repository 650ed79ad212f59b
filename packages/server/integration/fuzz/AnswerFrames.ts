/**
 * The answers in what came back on a bare connection. That they are whole answers and nothing else is what a client
 * relies on that has sent several requests: one that is read wrongly is taken for the answer to another.
 */
import type { HttpAnswer } from "./AnswerCheck.ts"

export interface Frames {
  readonly answers: ReadonlyArray<HttpAnswer>
  /** Why the bytes are not answers one after the other; an answer that is cut off at the end is none of it. */
  readonly wrong: string | undefined
}

export const framesOf = (bytes: Buffer): Frames => {
  const answers: Array<HttpAnswer> = []
  let rest = bytes
  while (rest.length > 0) {
    const end = rest.indexOf("\r\n\r\n")
    const start = /^HTTP\/1\.1 (\d{3}) [ -~]*\r\n/.exec(rest.toString("latin1", 0, 200))
    if (start === null)
      return { answers, wrong: `no answer begins with ${JSON.stringify(rest.toString("latin1", 0, 60))}` }
    if (end < 0) break
    const headers = headersOf(rest.toString("latin1", 0, end))
    const status = Number(start[1])
    rest = rest.subarray(end + 4)
    if (status < 200) continue
    const body = status === 204 || status === 304 ? { bytes: Buffer.alloc(0), rest } : bodyOf(headers, rest)
    if (body === undefined) break
    if (body === "wrong") return { answers, wrong: "an answer's body ends where none does" }
    answers.push({ status, headers, body: body.bytes })
    rest = body.rest
  }
  return { answers, wrong: undefined }
}

const headersOf = (head: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    head
      .split("\r\n")
      .slice(1)
      .map((line) => [
        line.slice(0, line.indexOf(":")).toLowerCase(),
        line.slice(line.indexOf(":") + 1).trim()
      ])
  )

type Body = { readonly bytes: Buffer; readonly rest: Buffer } | "wrong" | undefined

/** `undefined` where it is cut off. */
const bodyOf = (headers: Readonly<Record<string, string>>, rest: Buffer): Body => {
  if (headers["transfer-encoding"] === "chunked") return chunksOf(rest)
  // Node answers some requests itself, with nothing, and closes the connection.
  if (headers["content-length"] === undefined) return { bytes: rest, rest: Buffer.alloc(0) }
  const length = Number(headers["content-length"])
  return rest.length < length ? undefined : { bytes: rest.subarray(0, length), rest: rest.subarray(length) }
}

const chunksOf = (bytes: Buffer): Body => {
  const chunks: Array<Buffer> = []
  let rest = bytes
  for (;;) {
    const end = rest.indexOf("\r\n")
    if (end < 0) return undefined
    const head = rest.toString("latin1", 0, end)
    if (!/^[0-9a-f]+$/i.test(head)) return "wrong"
    const size = parseInt(head, 16)
    if (rest.length < end + 2 + size + 2) return undefined
    chunks.push(rest.subarray(end + 2, end + 2 + size))
    rest = rest.subarray(end + 2 + size + 2)
    if (size === 0) return { bytes: Buffer.concat(chunks), rest }
  }
}
