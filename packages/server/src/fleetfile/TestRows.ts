/**
 * What the tests of the readers share.
 */
import { Effect, Stream } from "effect"
import { decode, type FleetRow } from "./FleetRow.ts"

/** A text as a file gives it: in pieces of `size` bytes. */
export const piecesOf = (text: string, size: number): Stream.Stream<Uint8Array> => {
  const bytes = new TextEncoder().encode(text)
  return Stream.fromIterable(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.slice(index * size, (index + 1) * size)
    )
  )
}

/** The worker of a row that must be there. */
export const workerOf = (row: FleetRow | undefined) =>
  row === undefined ? Effect.die(new Error("there is no such row")) : decode(row)
