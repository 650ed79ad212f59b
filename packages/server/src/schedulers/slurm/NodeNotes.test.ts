import { assert, describe, it } from "@effect/vitest"
import { Worker, WorkerCapabilities, WorkerId } from "@muster/core"
import { workerArbitrary, workerIdArbitrary } from "@muster/testing"
import { Option } from "effect"
import { toNodeName } from "./NodeName.ts"
import { decodeNotes, encodeNotes, sharedPart } from "./NodeNotes.ts"

const many = { arbitrary: { runs: 200 }, timeout: 30_000 }
const worker = Worker.make({
  id: WorkerId.make("a"),
  capabilities: WorkerCapabilities.make({ cpuCores: 8, memoryMb: 1024 })
})
const textOf = (note: { worker: Worker; generation: number }) => encodeNotes(sharedPart(note.worker), [note])

describe("the notes of a node", () => {
  it.prop(
    "give back every worker as it was, with its generation",
    [workerArbitrary],
    ([worker]) => {
      const note = { worker, generation: Number.MAX_SAFE_INTEGER }
      assert.deepStrictEqual(decodeNotes(toNodeName(worker.id), textOf(note)), Option.some(note))
    },
    many
  )

  it.prop(
    "are one word of ASCII",
    [workerArbitrary],
    ([worker]) => assert.match(textOf({ worker, generation: 1 }), /^[\x21-\x7e]+$/),
    many
  )

  it.prop(
    "can be shared by workers that differ in nothing but id, generation and time",
    [workerArbitrary, workerIdArbitrary],
    ([worker, id]) => {
      const notes = [
        { worker, generation: 1 },
        { worker: Worker.make({ ...worker, id }), generation: 2 }
      ]
      const text = encodeNotes(sharedPart(worker), notes)
      assert.strictEqual(sharedPart(notes[1]?.worker ?? worker), sharedPart(worker))
      const last = worker.id === id ? notes.slice(1) : notes
      for (const note of last) {
        assert.deepStrictEqual(decodeNotes(toNodeName(note.worker.id), text), Option.some(note))
      }
    },
    many
  )

  it("are as docs/schedulers/slurm.md shows them", () => {
    assert.match(
      textOf({ worker, generation: 7 }),
      /^\{"muster":1,"worker":\{"capabilities":\{"cpuCores":8,.*\},"metadata":\{.*\}\},"nodes":\{"a":\[7,\d+\]\}\}$/
    )
  })

  const text = textOf({ worker, generation: 7 })
  it.each([
    ["of another node", text.replace('"nodes":{"a"', '"nodes":{"b"')],
    ["of a later version", text.replace('"muster":1', '"muster":2')],
    ["that were cut off", text.slice(0, -1)],
    ["of an administrator", '{"rack":7}'],
    ["that are no JSON", "{rack"],
    ["with a worker that is none", text.replace('"cpuCores":8', '"cpuCores":-8')],
    ["with a generation that is none", text.replace("[7,", '["7",')],
    ["with a time that is none", text.replace(/\[7,\d+\]/, "[7,1e300]")]
  ])("are none where they are those %s", (_, text) => {
    assert.deepStrictEqual(decodeNotes("a", text), Option.none())
  })
})
