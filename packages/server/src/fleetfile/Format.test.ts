import { assert, describe, it } from "@effect/vitest"
import { fromContent, fromName, isEnough } from "./Format.ts"

describe("the format of a fleet file", () => {
  it("follows from its name's ending, whatever the case", () => {
    assert.deepStrictEqual(
      ["a.csv", "a.ndjson", "a.jsonl", "a.JSON", "x.y/a.yaml", "a.yml", "a.txt", "csv", "a.csv/b"].map(
        fromName
      ),
      ["csv", "ndjson", "ndjson", "json", "yaml", "yaml", undefined, undefined, undefined]
    )
  })

  it("follows from its content otherwise", () => {
    const contents = {
      '[{"id":"a"}]': "json",
      '\n [\n  {"id": "a"}': "json",
      '{"id":"a"}\n{"id":"b"}\n': "ndjson",
      '{"id":"a"}': "ndjson",
      '{\n  "apiVersion": "v1",\n': "json",
      '{"apiVersion":"v1","kind":"List","items":[]}\n': "json",
      '{"apiVersion":"v1","items":[{"kind":"Node","metadata":{"na': "json",
      '{"apiVersion":"v1","kind":"Node"}\n{"apiVersion":"v1","kind":"Node"}\n': "ndjson",
      "---\nkind: List\n": "yaml",
      "# nodes\nkind: List\n": "yaml",
      "apiVersion: v1\nkind: List\n": "yaml",
      "id,capabilities.cpuCores\na,1\n": "csv",
      '"id",cpu\n': "csv",
      "no format at all\n": undefined,
      "PK\0\u0003": undefined
    }
    for (const [content, format] of Object.entries(contents)) {
      assert.strictEqual(fromContent(content), format, content)
    }
  })

  it("is known from the first line, except where a JSON document goes over several", () => {
    assert.isFalse(isEnough(""))
    assert.isFalse(isEnough("\n\n"))
    assert.isFalse(isEnough("id,cpu"))
    assert.isTrue(isEnough("id,cpu\n"))
    assert.isTrue(isEnough('{"id":"a"}\n'))
    assert.isFalse(isEnough('{\n"apiVersion": "v1",\n'))
  })
})
