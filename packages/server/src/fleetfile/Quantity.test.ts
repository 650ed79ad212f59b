import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Quantity from "./Quantity.ts"

const number = (text: string) => {
  const quantity = Quantity.parse(text)
  return quantity === undefined ? undefined : Quantity.toNumber(quantity)
}
const mebibytes = (text: string) => {
  const quantity = Quantity.parse(text)
  return quantity === undefined ? undefined : Quantity.toMebibytes(quantity)
}

const whole = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

describe("a Kubernetes quantity", () => {
  it("is a decimal number with or without a suffix", () => {
    assert.deepStrictEqual(
      ["32", "31850m", "0.5", ".5", "5.", "+8", "-8", "2k", "1M", "1G", "1T", "1P", "1E"].map(number),
      [32, 31.85, 0.5, 0.5, 5, 8, -8, 2000, 1e6, 1e9, 1e12, 1e15, 1e18]
    )
    assert.deepStrictEqual(["1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", "1.5Gi"].map(number), [
      2 ** 10,
      2 ** 20,
      2 ** 30,
      2 ** 40,
      2 ** 50,
      2 ** 60,
      1.5 * 2 ** 30
    ])
    assert.deepStrictEqual(
      ["1e3", "1E3", "1e+3", "12e-1", "100n", "100u"].map(number),
      [1000, 1000, 1000, 1.2, 1e-7, 1e-4]
    )
  })

  it("is nothing else", () => {
    const texts = [
      "",
      " ",
      ".",
      "8 ",
      "1,5",
      "1kb",
      "1ki",
      "1K",
      "1Mi2",
      "1mi",
      "m",
      "e3",
      "1e",
      "0x10",
      "NaN",
      "Infinity",
      "1e3Mi"
    ]
    for (const text of [...texts, "1e9999", "1".repeat(65)]) assert.isUndefined(Quantity.parse(text), text)
  })

  it("of bytes is in whole MiB, rounded down", () => {
    assert.deepStrictEqual(
      ["262144Mi", "128Gi", "1056000000Ki", "32e9", "0.5Gi", "1048575", "1048576", "1.9Mi", "16Ei"].map(
        mebibytes
      ),
      [262_144, 131_072, 1_031_250, 30_517, 512, 0, 1, 1, 2 ** 44]
    )
    assert.deepStrictEqual(["-1", "-1Mi", "-1.5Mi"].map(mebibytes), [-1, -1, -2])
  })

  it.prop("in thousandths is the nearest number to the fraction", [whole(1e12)], ([millis]) => {
    assert.strictEqual(number(`${millis}m`), millis / 1000)
  })

  it.prop("means the same in every unit", [whole(1e6)], ([amount]) => {
    assert.strictEqual(mebibytes(`${amount}Gi`), mebibytes(`${amount * 1024}Mi`))
    assert.strictEqual(mebibytes(`${amount}Mi`), mebibytes(`${amount * 1024}Ki`))
    assert.strictEqual(number(`${amount}k`), number(`${amount}e3`))
    assert.strictEqual(number(`${amount}`), number(`${amount * 1000}m`))
  })

  it.prop(
    "of bytes never promises more than there is, nor a MiB less",
    [whole(Number.MAX_SAFE_INTEGER)],
    ([bytes]) => {
      const whole = mebibytes(String(bytes))
      assert.strictEqual(whole, Number(BigInt(bytes) / 2n ** 20n))
    }
  )
})
