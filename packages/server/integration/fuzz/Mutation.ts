/**
 * What is valid, with something wrong with it: in its values, in its text, or in its bytes.
 */
import { Predicate } from "effect"
import type { Dice } from "./Dice.ts"
import { hostileText, hostileValue } from "./HostileValues.ts"

/** One of its members, at any depth, gone, replaced, or with another beside it. */
export const mutateValue = (value: unknown, dice: Dice): unknown => {
  if (Array.isArray(value) && value.length > 0 && dice.chance(0.85)) {
    const at = dice.below(value.length)
    if (dice.chance(0.1)) return value.toSpliced(at, 1)
    return value.with(at, mutateValue(value[at], dice))
  }
  if (Predicate.isObject(value) && Object.keys(value).length > 0 && dice.chance(0.85)) {
    const entries = Object.entries(value)
    const at = dice.below(entries.length)
    const [name, member] = dice.pick(entries)
    if (dice.chance(0.1)) return Object.fromEntries(entries.toSpliced(at, 1))
    if (dice.chance(0.1)) return Object.fromEntries([...entries, [hostileText(dice), member]])
    return Object.fromEntries([
      ...entries.filter(([other]) => other !== name),
      [name, mutateValue(member, dice)]
    ])
  }
  return hostileValue(dice)
}

const nested = (dice: Dice): string => {
  const depth = dice.pick([50, 1000, 20_000, 200_000])
  const [open, close] = dice.pick([
    ["[", "]"],
    ['{"a":', "}"]
  ] as const)
  return dice.chance(0.7)
    ? open.repeat(depth) + (open === "[" ? "" : "1") + close.repeat(depth)
    : open.repeat(depth)
}

/** JSON of a value, in ways in which no serialiser writes it. */
export const mutateJson = (json: string, dice: Dice): string => {
  const at = dice.below(json.length + 1)
  switch (dice.below(10)) {
    case 0:
      return `\ufeff${json}`
    case 1:
      return json.slice(0, at)
    case 2:
      return `${json}${dice.pick([",", "}", "]", "\0", " 1", "// x"])}`
    case 3:
      return json.replace("{", `{"id":"fz-1","__proto__":{"polluted":true},`)
    case 4:
      return json.replace(/\d+/, () =>
        dice.pick(["NaN", "01", "1e999", "-", "+1", "0x1", "1".repeat(5000), ".5"])
      )
    case 5:
      return json.replace(/[\]}]$/, (end) => `,"deep":${nested(dice)}${end}`)
    case 6:
      return nested(dice)
    case 7:
      return json.replace(/"(\w+)":/, (_, name: string) => `"${name}":${nested(dice)},"${name}":`)
    case 8:
      return json.replaceAll('"', "'")
    default:
      return json.slice(0, at) + hostileText(dice) + json.slice(at)
  }
}

/** Bytes removed, repeated, put in, exchanged or flipped, in up to eight places. */
export const mutateBytes = (bytes: Uint8Array, dice: Dice): Buffer => {
  let mutated = Buffer.from(bytes)
  for (let times = dice.between(1, 8); times > 0; times--) {
    const at = dice.below(mutated.length + 1)
    const end = Math.min(mutated.length, at + dice.between(1, 16))
    const [before, piece, after] = [mutated.subarray(0, at), mutated.subarray(at, end), mutated.subarray(end)]
    switch (dice.below(6)) {
      case 0:
        mutated = Buffer.concat([before, after])
        break
      case 1:
        mutated = Buffer.concat([before, piece, piece, after])
        break
      case 2:
        mutated = Buffer.concat([before, dice.bytes(dice.between(1, 8)), piece, after])
        break
      case 3:
        mutated = Buffer.concat([
          before,
          Buffer.from(dice.pick(["\0", "\r\n", "\xff", "\xc0\xaf", '"', "\n"]), "latin1"),
          piece,
          after
        ])
        break
      default: {
        const old = mutated[at]
        if (old !== undefined) mutated[at] = old ^ (1 << dice.below(8))
      }
    }
  }
  return mutated
}
