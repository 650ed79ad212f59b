/**
 * One JSON document: an array of workers or Kubernetes Nodes, a Kubernetes list (`kubectl get nodes -o json`), or one
 * worker or Node. Arrays and lists are read element by element, whatever their size; another document is read whole.
 */
import { Effect, Predicate, Stream } from "effect"
import { JsonArray } from "effect/encoding"
import { FleetFileError, type FleetRow, fromValue } from "./FleetRow.ts"
import { isList, listElement } from "./Kubernetes.ts"
import { describeJsonError } from "./Ndjson.ts"
import { readWhole } from "./readWhole.ts"

/** The largest document that is read whole. */
const largestDocument = 256 * 2 ** 20

const string = String.raw`"(?:[^"\\]|\\.)*"`
const flatObject = String.raw`\{[^{}"]*(?:${string}[^{}"]*)*\}`
const beforeItems = new RegExp(
  String.raw`^\{\s*(?<members>(?:"(?:apiVersion|kind|metadata)"\s*:\s*(?:${string}|${flatObject})\s*,\s*)*)"items"\s*:\s*\[`
)

/** The rows of a document that begins with `beginning`, which may be all of it or a part. */
export const read = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  beginning: string
): Stream.Stream<FleetRow, E | FleetFileError, R> => {
  const text = beginning.trimStart()
  if (text.startsWith("[")) return readElements(bytes, "", undefined)
  const members = beforeItems.exec(text)?.groups?.members
  if (members === undefined) return Stream.unwrap(Effect.map(readDocument(bytes), Stream.fromIterable))
  return readElements(bytes, "/items", /"kind"\s*:\s*"NodeList"/.test(members) ? "NodeList" : undefined)
}

const readElements = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  pointer: "" | "/items",
  listKind: string | undefined
): Stream.Stream<FleetRow, E | FleetFileError, R> =>
  bytes.pipe(
    Stream.pipeThroughChannelOrFail(JsonArray.decode<E>({ pointer })),
    Stream.mapError((error) =>
      JsonArray.isJsonArrayError(error)
        ? new FleetFileError({
            message: `The JSON document cannot be read beyond character ${(error.offset ?? 0) + 1}: ${error.message}. The elements before it were read.`
          })
        : error
    ),
    Stream.map((value, index) =>
      fromValue(listElement(value, listKind), { entry: index + 1, line: undefined })
    )
  )

const readDocument = Effect.fnUntraced(function* <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>
): Effect.fn.Return<ReadonlyArray<FleetRow>, E | FleetFileError, R> {
  const text = yield* readWhole(bytes, largestDocument, "A JSON document that is not an array or a list")
  if (text.trim() === "") return []
  const document = yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: (error) =>
      new FleetFileError({
        message: `The file is ${describeJsonError(error)}. If it has one JSON object on each line, say --format ndjson.`
      })
  })
  return valuesOf(document).map((value, index) => fromValue(value, { entry: index + 1, line: undefined }))
})

/** The elements of a document: of an array or list its members, or else the document itself. */
const valuesOf = (document: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(document)) return document
  if (isList(document)) return document.items.map((item) => listElement(item, document.kind))
  if (Predicate.isObject(document) && Array.isArray(document.items) && document.id === undefined) {
    return document.items
  }
  return [document]
}
