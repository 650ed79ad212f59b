/**
 * Files of workers in every format, valid, nearly valid and built to harm: quotes that do not close, mixed ends of
 * lines, marks of byte order, NULs, aliases that explode, tags, keys twice, and values nested without end.
 */
import type { Format } from "../../src/fleetfile/Format.ts"
import type { Dice } from "./Dice.ts"
import { hostileNumber, hostileText, hostileValue } from "./HostileValues.ts"
import { mutateBytes, mutateJson, mutateValue } from "./Mutation.ts"

export interface FileInput {
  /** The ending of its name; `undefined`: the content has to tell. */
  readonly format: Format | undefined
  readonly bytes: Buffer
}

const worker = (dice: Dice): unknown => ({
  id: `w-${dice.below(1000)}`,
  capabilities: {
    cpuCores: dice.between(1, 64),
    memoryMb: dice.between(1, 99_999),
    customResources: { gpu: 1 }
  },
  metadata: {
    workerType: "static",
    namespace: "ci",
    labels: { zone: hostileText(dice).slice(0, 300) },
    tags: ["a"]
  }
})

const node = (dice: Dice): unknown => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: `node-${dice.below(1000)}`,
    labels: { zone: "a" },
    creationTimestamp: "2026-01-31T12:00:00Z"
  },
  status: {
    capacity: { cpu: dice.pick(["4", "3920m", "1e3"]), memory: dice.pick(["16Gi", "1024Ki", "1e9"]) }
  }
})

export const fileInput = (dice: Dice): FileInput => {
  const format = dice.pick<Format>(["csv", "csv", "ndjson", "json", "yaml", "yaml"])
  let bytes: Buffer = Buffer.from(texts[format](dice))
  if (dice.chance(0.2)) bytes = mutateBytes(bytes, dice)
  if (dice.chance(0.05))
    bytes = Buffer.concat([
      dice.pick([
        Buffer.from([0xef, 0xbb, 0xbf]),
        Buffer.from([0xff, 0xfe]),
        Buffer.from([0xfe, 0xff]),
        Buffer.alloc(1)
      ]),
      bytes
    ])
  if (dice.chance(0.04)) bytes = dice.bytes(dice.below(3000))
  return { format: dice.chance(0.8) ? format : undefined, bytes }
}

/** What `muster export` writes, damaged. */
export const exportInput = (dice: Dice): FileInput => {
  const at = "2026-01-31T12:00:00.000Z"
  const count = dice.below(30)
  const lines = Array.from({ length: count }, (_, number) => {
    const line = {
      id: `w-${number}`,
      desired: "registered",
      phase: "registered",
      generation: dice.between(1, 1e9),
      priority: "normal",
      leaseTtl: null,
      saidReady: false,
      createdAt: at,
      updatedAt: at,
      lastError: null,
      lastEvent: null,
      worker: { ...Object(worker(dice)), id: `w-${number}` }
    }
    return dice.chance(0.5) ? JSON.stringify(line) : json(line, dice)
  })
  const first = {
    muster: "export",
    version: 1,
    exportedAt: at,
    by: "0.0.0",
    workers: count,
    forgottenGeneration: 0
  }
  const end = { muster: "end", workers: count, forgottenGeneration: 0 }
  const whole = [JSON.stringify(first), ...lines, JSON.stringify(end)].map((line) => `${line}\n`).join("")
  const bytes = Buffer.from(whole)
  return { format: "ndjson", bytes: dice.chance(0.4) ? mutateBytes(bytes, dice) : bytes }
}

const texts: Readonly<Record<Format, (dice: Dice) => string>> = {
  csv: (dice) => {
    const header = [
      "id",
      "capabilities.cpuCores",
      "capabilities.memoryMb",
      "metadata.labels.a",
      "metadata.tags",
      "note"
    ]
    const cell = () => {
      const text = dice.chance(0.6)
        ? String(dice.below(100))
        : dice.chance(0.2)
          ? String(hostileNumber(dice))
          : hostileText(dice)
      return dice.chance(0.5) ? text : `"${dice.chance(0.9) ? text.replaceAll('"', '""') : text}"`
    }
    const row = () =>
      Array.from({ length: dice.chance(0.9) ? header.length : dice.below(40) }, cell).join(",")
    const names = dice.chance(0.85)
      ? header
      : dice.chance(0.5)
        ? [...header, hostileText(dice)]
        : header.with(
            dice.below(header.length),
            dice.pick(["id", "__proto__", "capabilities.customResources.__proto__", "metadata.labels.", '"'])
          )
    const end = () => dice.pick(["\n", "\n", "\r\n", "\r"])
    return [names.join(","), ...Array.from({ length: dice.below(12) }, row)]
      .map((line) => line + end())
      .join("")
  },
  ndjson: (dice) =>
    Array.from({ length: dice.below(8) }, () => json(worker(dice), dice)).join(
      dice.pick(["\n", "\r\n", "\n\n", "\u2028"])
    ),
  json: (dice) => {
    const list = Array.from({ length: dice.below(8) }, () => (dice.chance(0.3) ? node(dice) : worker(dice)))
    return json(
      dice.chance(0.6)
        ? list
        : {
            apiVersion: "v1",
            kind: dice.pick(["List", "NodeList", "PodList", hostileText(dice)]),
            items: list
          },
      dice
    )
  },
  yaml: (dice) => {
    switch (dice.below(9)) {
      case 0:
        return laughs(dice)
      case 1:
        return `&a [${"*a, ".repeat(dice.between(1, 50))}]\n`
      case 2:
        return `- &w {id: a, capabilities: {cpuCores: 1, memoryMb: 1}}\n${"- *w\n".repeat(dice.between(1, 300))}`
      case 3:
        return `- !!${dice.pick(["js/function", "binary", "set", "omap", "python/object/apply:os.system", "timestamp", "merge"])} ${dice.pick(["x", "[a]", "{a: b}", "'function(){}'"])}\n`
      case 4:
        return `- id: a\n  id: b\n  __proto__: {polluted: true}\n  <<: {id: c}\n  ? [complex]\n  : key\n`
      case 5: {
        const depth = dice.pick([20, 500, 3000])
        return dice.chance(0.5)
          ? "[".repeat(depth) + "]".repeat(depth)
          : Array.from({ length: Math.min(depth, 500) }, (_, level) => `${" ".repeat(level)}a:`).join("\n")
      }
      case 6:
        return `%YAML ${dice.pick(["1.1", "1.2", "9.9"])}\n%TAG ! tag:x,2026:\n---\n- id: ${dice.pick(["yes", "0o17", "1_000", "2026-01-31", "~", ".nan", "!x a"])}\n...\n---\n`
      default: {
        // JSON is YAML.
        const list = Array.from({ length: dice.below(5) }, () =>
          JSON.stringify(dice.chance(0.5) ? node(dice) : mutateValue(worker(dice), dice))
        )
        return dice.chance(0.5) ? list.map((one) => `- ${one}\n`).join("") : list.join("\n---\n")
      }
    }
  }
}

const json = (value: unknown, dice: Dice): string => {
  if (dice.chance(0.3)) return JSON.stringify(value)
  const mutated = JSON.stringify(dice.chance(0.1) ? hostileValue(dice) : mutateValue(value, dice))
  return dice.chance(0.5) ? mutateJson(mutated, dice) : mutated
}

/** A billion laughs, or however many: each level is ten of the one before it. */
const laughs = (dice: Dice): string => {
  const levels = dice.between(2, 12)
  const lines = Array.from({ length: levels }, (_, level) =>
    level === 0
      ? `l0: &l0 [lol, lol]`
      : `l${level}: &l${level} [${Array.from({ length: 10 }, () => `*l${level - 1}`).join(", ")}]`
  )
  return `${dice.chance(0.5) ? "" : "items:\n  - "}${lines.join(dice.chance(0.5) ? "\n" : "\n    ")}\n`
}
