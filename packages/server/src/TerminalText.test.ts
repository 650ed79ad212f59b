import { assert, describe, it } from "@effect/vitest"
import { CliOutput } from "effect/cli"
import { fit, printable, shorten, wrap } from "./TerminalText.ts"

describe("printable", () => {
  it("lets no control character through, of either set", () => {
    assert.strictEqual(printable("a\u001b[31mred\u0007\u009b2J"), "a?[31mred??2J")
  })

  it("shows what turns the direction of text, and what cannot be seen", () => {
    assert.strictEqual(printable("ci\u202e7f3a\u200b"), "ci?7f3a?")
  })

  it("is one line", () => {
    assert.strictEqual(printable("a\r\nb\tc\u2028d"), "a b c?d")
  })

  it("keeps accents, but no heap of them", () => {
    assert.strictEqual(printable("e\u0301"), "e\u0301")
    assert.strictEqual(printable(`z${"\u0335".repeat(500)}`), `z${"\u0335".repeat(4)}`)
  })
})

describe("shorten", () => {
  it("leaves what has room", () => {
    assert.strictEqual(shorten("ci-7f3a", 7), "ci-7f3a")
  })

  it("marks what it cuts", () => {
    assert.strictEqual(shorten("ci-7f3a", 6), "ci-7f…")
    assert.strictEqual(shorten("ci-7f3a", 1), "…")
    assert.strictEqual(shorten("ci-7f3a", 0), "")
  })

  it("counts cells, not characters, and cuts no character in two", () => {
    assert.strictEqual(shorten("ファイル", 8), "ファイル")
    assert.strictEqual(shorten("ファイル", 6), "ファ…")
    assert.strictEqual(shorten("👩🏽‍🚀👩🏽‍🚀", 3), "👩🏽‍🚀…")
  })

  it("takes no time for what is very long", () => {
    assert.strictEqual(shorten("x".repeat(50_000_000), 5), "xxxx…")
  })
})

describe("fit", () => {
  it("is as wide as it is told, whatever the text", () => {
    for (const text of ["", "a", "ファイル", "👩🏽‍🚀 on call", "e\u0301\u0301", "x".repeat(100)]) {
      assert.strictEqual(CliOutput.displayWidth(fit(text, 5)), 5, text)
    }
  })
})

describe("wrap", () => {
  it("breaks at spaces", () => {
    assert.deepStrictEqual(wrap("the worker was not registered", 12), ["the worker", "was not", "registered"])
  })

  it("breaks a word that is longer than a line", () => {
    assert.deepStrictEqual(wrap("a abcdefgh b", 4), ["a", "abcd", "efgh", "b"])
  })

  it("keeps one line where there is no limit", () => {
    assert.deepStrictEqual(wrap("one two three", Infinity), ["one two three"])
  })

  it("ends where a character has no room", () => {
    assert.deepStrictEqual(wrap("ファ", 1), ["ファ"])
  })
})
