/**
 * For the formats that cannot be read piece by piece.
 */
import { Effect, Stream } from "effect"
import { FleetFileError } from "./FleetRow.ts"

/** All of a stream as text, or a failure once it is larger than `limit` bytes. `what` begins the message. */
export const readWhole = Effect.fnUntraced(function* <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  limit: number,
  what: string
): Effect.fn.Return<string, E | FleetFileError, R> {
  const decoder = new TextDecoder()
  let size = 0
  let text = ""
  yield* Stream.runForEach(bytes, (chunk) => {
    size += chunk.length
    if (size > limit) {
      const message = `${what} may have at most ${limit / 2 ** 20} MiB, and this one has more. Use NDJSON, CSV, a JSON array or what kubectl get nodes -o json prints, which have no such limit.`
      return Effect.fail(new FleetFileError({ message }))
    }
    text += decoder.decode(chunk, { stream: true })
    return Effect.void
  })
  return text + decoder.decode()
})
