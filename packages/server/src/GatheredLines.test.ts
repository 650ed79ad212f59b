import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { setImmediate as turn } from "node:timers/promises"
import { GatheredLines } from "./GatheredLines.ts"

const gather = () => {
  const written: Array<string> = []
  return { written, lines: new GatheredLines((text) => void written.push(text)) }
}

describe("GatheredLines", () => {
  it("writes the lines of one turn together, in their order", async () => {
    const { lines, written } = gather()
    lines.add("a")
    lines.add("b")
    assert.deepStrictEqual(written, [])
    await turn()
    assert.deepStrictEqual(written, ["a\nb"])
    lines.add("c")
    await turn()
    await turn()
    assert.deepStrictEqual(written, ["a\nb", "c"])
  })

  it("does not let them pile up within a turn", async () => {
    const { lines, written } = gather()
    const line = "x".repeat(40_000)
    for (let count = 0; count < 5; count++) lines.add(line)
    assert.deepStrictEqual(written, [`${line}\n${line}`, `${line}\n${line}`])
    await turn()
    assert.deepStrictEqual(written.slice(2), [line])
  })

  it.for([
    ["process.exit(3)", 3],
    ["throw new Error('a mistake')", 1]
  ] as const)("writes what is left when the process ends: %s", ([end, expected]) => {
    const module = new URL("GatheredLines.ts", import.meta.url).href
    const script = `import { GatheredLines } from "${module}"
        new GatheredLines((text) => console.log(text)).add("last words")
        ${end}`
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8"
    })
    assert.deepStrictEqual([status, stdout], [expected, "last words\n"])
  })
})
