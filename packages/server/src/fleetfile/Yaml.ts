/**
 * YAML: Kubernetes lists and Nodes (`kubectl get nodes -o yaml`), or workers, in one document or several.
 */
import { Effect, Stream } from "effect"
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments
} from "yaml"
import { type FleetFileError, type FleetRow, fromValue, unreadable } from "./FleetRow.ts"
import { listElement } from "./Kubernetes.ts"
import { readWhole } from "./readWhole.ts"

/** The largest file: its syntax tree takes more than thirty times as much memory (measured). */
const largestFile = 32 * 2 ** 20

export const read = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>
): Stream.Stream<FleetRow, E | FleetFileError, R> =>
  Stream.unwrap(
    Effect.map(readWhole(bytes, largestFile, "YAML"), (text) => Stream.fromIterable(rowsOf(text)))
  )

/** The rows of a text, converted one at a time. A document that is not YAML is one unreadable row. */
function* rowsOf(text: string): Generator<FleetRow> {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  let entry = 0
  for (const document of documents) {
    const line = lines.linePos(document.contents?.range?.[0] ?? document.range[0]).line
    const [error] = document.errors
    if (error !== undefined) {
      const at = lines.linePos(error.pos[0])
      const source = text.slice(document.range[0], document.range[2])
      const received = `a mistake at line ${at.line}, column ${at.col} (${error.code})`
      yield unreadable({ entry: ++entry, line }, source, "a YAML document", received)
      continue
    }
    const { elements, listKind } = elementsOf(document)
    for (const element of elements) {
      const position = { entry: ++entry, line: lines.linePos(element.range?.[0] ?? 0).line }
      const value = toValue(element, document)
      yield value === undefined
        ? unreadable(position, "", "YAML whose aliases can be followed", "aliases that are nested too deeply")
        : fromValue(listElement(value, listKind), position)
    }
  }
}

/** The parts of a document that are an entry each. */
const elementsOf = (
  document: Document.Parsed
): { readonly elements: ReadonlyArray<Node>; readonly listKind?: string } => {
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return { elements: [] }
  if (isSeq(contents)) return { elements: contents.items.filter(isNode) }
  const items = isMap(contents) ? contents.get("items") : undefined
  if (!isMap(contents) || !isSeq(items)) return { elements: [contents] }
  const kind = contents.get("kind")
  return {
    elements: items.items.filter(isNode),
    ...(typeof kind === "string" ? { listKind: kind } : undefined)
  }
}

// The library counts what aliases expand to, and throws when a document is built to explode.
const toValue = (node: Node, document: Document.Parsed): unknown => {
  try {
    return node.toJS(document, { maxAliasCount: 100 })
  } catch {
    return undefined
  }
}
