/**
 * One JSON document: an array of workers or Kubernetes Nodes, a Kubernetes list (`kubectl get nodes -o json`), or one
 * worker or Node. Arrays and lists are read element by element, whatever their size; another document is read whole.
 */
import { Effect, Predicate, Stream } from "effect"
import { FleetFileError, type FleetRow, fromValue } from "./FleetRow.ts"
import { JsonElements } from "./JsonElements.ts"
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
  const spaces = beginning.length - text.length
  if (text.startsWith("["))
    return readElements(bytes, new JsonElements(spaces + 1, false, (element) => element))
  const match = beforeItems.exec(text)
  if (match === null) return Stream.unwrap(Effect.map(readDocument(bytes), Stream.fromIterable))
  const listKind = /"kind"\s*:\s*"NodeList"/.test(match.groups?.members ?? "") ? "NodeList" : undefined
  const before = spaces + match[0].length
  return readElements(bytes, new JsonElements(before, true, (element) => listElement(element, listKind)))
}

const readElements = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  elements: JsonElements
): Stream.Stream<FleetRow, E | FleetFileError, R> =>
  bytes.pipe(
    Stream.decodeText(),
    Stream.mapAccumArray(
      () => elements,
      (elements, texts) => [elements, texts.flatMap((text) => elements.feed(text))] as const,
      { onHalt: (elements) => elements.end() }
    ),
    Stream.concat(
      Stream.suspend(() => (elements.failure === undefined ? Stream.empty : Stream.fail(elements.failure)))
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
