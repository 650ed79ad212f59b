/**
 * Request bodies: their media type, their size, and the JSON in them. Nothing is read of a body that cannot be
 * accepted, and no more than the limit of one that can.
 */
import { ByteSize, Effect, Fiber, Predicate, Result } from "effect"
import { HttpIncomingMessage, type HttpServerError, type HttpServerRequest } from "effect/http"
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
  const tooLarge = () => contentTooLarge(maximum, "bytes", "The body")
  if (Number(request.headers["content-length"]) > maximum) return Effect.fail(tooLarge())
  return request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maximum)),
    Effect.catch((error) =>
      Effect.fail<BodyProblem>(isTooLarge(error) ? tooLarge() : malformed("The body could not be read."))
    ),
    // A fiber of its own: interrupting the reader closes the connection, and nobody would get the 408.
    Effect.forkDetach,
    Effect.flatMap(inTime),
    Effect.flatMap((bytes) => Effect.fromResult(parseJson(new Uint8Array(bytes))))
  )
}

/** A small body comes with its headers: it is there at the end of this tick, and needs no time-out. */
const inTime = <A>(reader: Fiber.Fiber<A, BodyProblem>): Effect.Effect<A, BodyProblem> =>
  Effect.flatMap(
    Effect.yieldNow,
    () =>
      reader.pollUnsafe() ??
      Effect.timeoutOrElse(Fiber.join(reader), {
        duration: `${HttpLimits.bodySeconds} seconds`,
        orElse: () => Effect.fail(requestTimeout())
      })
  )

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
