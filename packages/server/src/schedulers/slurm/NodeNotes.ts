/**
 * The notes that a node carries in its `Extra`: the worker as it was registered, with its generation. Slurm keeps the
 * text and gives it back; it is JSON, so that `sbatch --extra` can ask for what is in it where Slurm can do that.
 *
 * Nodes of one batch that differ in nothing else share one text, since Slurm sets it on any number of nodes in one
 * call: what they have in common is there once, and what is each one's own is listed by node name.
 */
import { Worker, WorkerCapabilities, WorkerMetadata } from "@muster/core"
import { Option, Schema } from "effect"
import { toNodeName, toWorkerId } from "./NodeName.ts"

/** What is noted of one worker. */
export interface Note {
  readonly worker: Worker
  readonly generation: number
}

/**
 * The longest text. Linux takes arguments of up to 131,072 bytes, and every node's text is in the controller's memory.
 */
export const maxNotesLength = 100_000

/** So many nodes share one text at most: each carries it whole. */
export const maxSharedNotes = 16

/** For each node its generation and when it was provisioned, in milliseconds since 1970. */
const Own = Schema.Tuple([Schema.Int, Schema.Int])

const Notes = Schema.fromJsonString(
  Schema.Struct({
    muster: Schema.Literal(1),
    worker: Schema.Struct({ capabilities: WorkerCapabilities, metadata: WorkerMetadata }),
    nodes: Schema.Record(Schema.String, Own)
  })
)

const encodeWorker = Schema.encodeSync(Worker)

/** What workers have in common that can share a text: equal for those, and only for those. */
export const sharedPart = (worker: Worker): string => {
  const { capabilities, metadata } = encodeWorker(worker)
  return ascii(JSON.stringify({ capabilities, metadata: { ...metadata, provisionedAt: undefined } }))
}

/** The text for workers with the same {@link sharedPart}: ASCII without white space, so that it is one word. */
export const encodeNotes = (shared: string, notes: ReadonlyArray<Note>): string => {
  const nodes = notes.map(({ generation, worker }) => [
    toNodeName(worker.id),
    [generation, worker.metadata.provisionedAt.epochMilliseconds]
  ])
  return `{"muster":1,"worker":${shared},"nodes":${JSON.stringify(Object.fromEntries(nodes))}}`
}

/** What is noted for this node; none where the text is not one of ours, or not about this node. */
export const decodeNotes = (nodeName: string, text: string): Option.Option<Note> =>
  Option.flatMap(decode(text), ({ nodes, worker: { capabilities, metadata } }) => {
    const own = Object.hasOwn(nodes, nodeName) ? nodes[nodeName] : undefined
    if (own === undefined) return Option.none()
    const [generation, provisionedAt] = own
    return Option.flatMap(toWorkerId(nodeName), (id) =>
      Option.map(decodeDate(provisionedAt), (provisionedAt) => ({
        generation,
        worker: Worker.make({
          id,
          capabilities,
          metadata: WorkerMetadata.make({ ...metadata, provisionedAt })
        })
      }))
    )
  })

const decode = Schema.decodeOption(Notes)
const decodeDate = Schema.decodeOption(Schema.DateTimeUtcFromMillis)

/** JSON lets every character be written by its number. */
const ascii = (json: string): string =>
  json.replace(/[^\x21-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
