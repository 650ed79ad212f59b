/**
 * Request bodies: their media type, their size, and the JSON in them. Nothing is read of a body that cannot be
 * accepted, and no more than the limit of one that can.
 */
import { ByteSize, Duration, Effect, Fiber, Predicate, Result } from "effect"
import { HttpIncomingMessage, type HttpServerError, type HttpServerRequest } from "effect/http"
import { IncomingMessage } from "node:http"
import { HttpLimits } from "./HttpLimits.ts"
import { isAtMostDeep } from "./JsonDepth.ts"
import {
  contentTooLarge,
  type ContentTooLarge,
  MalformedJson,
  requestTimeout,
  type RequestTimeout,
  UnsupportedMediaType
} from "./Problems.ts"

type Request = HttpServerRequest.HttpServerRequest
export type BodyProblem = ContentTooLarge | MalformedJson | RequestTimeout | UnsupportedMediaType

/** The media type of a request's body in lower case, without parameters; empty where it is not given. */
export const mediaType = (request: Request): string =>
  (request.headers["content-type"]?.split(";", 1)[0] ?? "").trim().toLowerCase()

/** Fails unless the body is of one of the `supported` media types, in UTF-8 and not compressed. */
export const requireMediaType = <const Type extends string>(
  request: Request,
  supported: ReadonlyArray<Type>
): Effect.Effect<Type, UnsupportedMediaType> => {
  const refuse = (detail: string) => Effect.fail(new UnsupportedMediaType({ supported, detail }))
  const given = mediaType(request)
  const found = supported.find((type) => type === given)
  if (found === undefined) {
    return refuse(
      `${given === "" ? "No content-type was given" : "This content-type is not supported here"}.`
    )
  }
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity"
  if (encoding !== "identity") return refuse("A compressed body (content-encoding) is not supported.")
  const charset = /;\s*charset="?([^";]*)"?/i.exec(request.headers["content-type"] ?? "")?.[1]?.trim()
  if (charset !== undefined && !/^(utf-8|us-ascii)$/i.test(charset)) {
    return refuse("A charset other than utf-8 is not supported.")
  }
  return Effect.succeed(found)
}

/** Reads a body of at most `maximum` bytes as JSON. */
export const readJson = (request: Request, maximum: number): Effect.Effect<unknown, BodyProblem> => {
  const length = Number(request.headers["content-length"])
  if (length > maximum) return Effect.fail(tooLarge(maximum))
  const bytes = isPlain(request.source, length) ? readPlain(request.source) : read(request, maximum)
  return Effect.flatMap(bytes, (bytes) => Effect.fromResult(parseJson(bytes)))
}

const read = (request: Request, maximum: number): Effect.Effect<Uint8Array, BodyProblem> =>
  request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maximum)),
    Effect.catch((error) => Effect.fail<BodyProblem>(isTooLarge(error) ? tooLarge(maximum) : unreadable())),
    // A fiber of its own: interrupting the reader closes the connection, and nobody would get the 408.
    Effect.forkDetach,
    Effect.flatMap((reader) => Effect.timeoutOrElse(Fiber.join(reader), timeout)),
    Effect.map((bytes) => new Uint8Array(bytes))
  )

/** A body whose length Node holds its sender to, and that is sent without being asked for. */
const isPlain = (source: object, length: number): source is IncomingMessage =>
  source instanceof IncomingMessage && !Number.isNaN(length) && source.headers.expect === undefined

/** The same from Node itself, without a fiber and turns of its own: most bodies come with their headers. */
const readPlain = (source: IncomingMessage): Effect.Effect<Uint8Array, BodyProblem> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    const onData = (chunk: Buffer) => chunks.push(chunk)
    const onEnd = () => {
      const [first, second] = chunks
      end(Effect.succeed(first !== undefined && second === undefined ? first : Buffer.concat(chunks)))
    }
    const onFailure = () => end(Effect.fail(unreadable()))
    const late = setTimeout(() => end(timeout.orElse()), HttpLimits.bodySeconds * 1000)
    const stop = () => {
      clearTimeout(late)
      source.off("data", onData).off("end", onEnd).off("error", onFailure).off("close", onFailure)
    }
    const end = (outcome: Effect.Effect<Uint8Array, BodyProblem>) => {
      stop()
      resume(outcome)
    }
    if (source.destroyed) return end(Effect.fail(unreadable()))
    source.on("data", onData).on("end", onEnd).on("error", onFailure).on("close", onFailure)
    return Effect.sync(stop)
  })

const timeout = {
  duration: Duration.seconds(HttpLimits.bodySeconds),
  orElse: () => Effect.fail(requestTimeout())
}

const tooLarge = (maximum: number) => contentTooLarge(maximum, "bytes", "The body")

const decoder = new TextDecoder("utf-8", { fatal: true })

/** JSON from bytes that must be UTF-8. The detail of a failure says where, and does not repeat what is there. */
export const parseJson = (bytes: Uint8Array): Result.Result<unknown, MalformedJson> => {
  if (bytes.length === 0) return Result.fail(malformed("The body is empty."))
  if (!isAtMostDeep(bytes, HttpLimits.jsonDepth)) {
    return Result.fail(malformed(`It is more than ${HttpLimits.jsonDepth} levels deep.`))
  }
  return Result.try({
    try: (): unknown => JSON.parse(decoder.decode(bytes)),
    catch: (error) =>
      malformed(`${error instanceof TypeError ? "It is not valid UTF-8" : syntaxError(error)}.`)
  })
}

const unreadable = () => malformed("The body could not be read.")

const malformed = (detail: string) => new MalformedJson({ detail })

const syntaxError = (error: unknown): string => {
  const message = Predicate.hasProperty(error, "message") ? String(error.message) : ""
  const position = /at position (\d+)/.exec(message)?.[1]
  return position === undefined
    ? "It ends too early or is not JSON"
    : `It stops being JSON at character ${position}`
}

const isTooLarge = (error: HttpServerError.HttpServerError): boolean =>
  error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
