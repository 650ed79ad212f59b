import { assert, describe, it } from "@effect/vitest"
import { SseReader } from "./SseReader.ts"

describe("SseReader", () => {
  const text = 'id: 0\n\n: alive\n\nid: 1.1\nevent: phase\ndata: {"a":\ndata: 1}\n\nevent: other\ndata:x\n\n'
  const events = [
    { event: "", data: "", id: "0" },
    { event: "phase", data: '{"a":\n1}', id: "1.1" },
    { event: "other", data: "x", id: "1.1" }
  ]

  it("reads events, and an id that comes alone", () => {
    assert.deepStrictEqual(new SseReader().read(text), events)
  })

  it("reads them the same from whatever pieces, and with every kind of line end", () => {
    for (const end of ["\n", "\r\n"]) {
      const reader = new SseReader()
      assert.deepStrictEqual(
        Array.from(text.replaceAll("\n", end)).flatMap((piece) => reader.read(piece)),
        events
      )
    }
  })

  it("keeps no line without an end", () => {
    const reader = new SseReader()
    for (let i = 0; i < 40; i++) assert.isEmpty(reader.read("x".repeat(100_000)))
    assert.deepStrictEqual(reader.read("\n\ndata: after\n\n"), [
      { event: "message", data: "after", id: undefined }
    ])
  })
})
