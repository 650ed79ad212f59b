/**
 * Values that a schema of the OpenAPI document allows. What schemas do not say, such as which text is a worker's id, is
 * told by the member's name; ids come from a small pool, so that requests meet each other's workers.
 */
import { Predicate } from "effect"
import type { Dice } from "./Dice.ts"
import { hostileNumber, hostileText } from "./HostileValues.ts"
import type { Json, OpenApi } from "./OpenApi.ts"

/** All workers that valid inputs are about. */
export const poolSize = 150
export const poolId = (number: number): string => `fz-${number}`
const anyId = (dice: Dice): string => poolId(dice.below(poolSize))

const times = ["2026-01-31T12:00:00Z", "1970-01-01T00:00:00.000Z", "2026-01-31T12:00:00.123456789Z"]

/** By the names of members. */
const known: Readonly<Record<string, (dice: Dice) => unknown>> = {
  id: anyId,
  workerId: anyId,
  subject: anyId,
  leaseTtl: (dice) => dice.pick(["30 seconds", "1 hour", "365 days", "10 millis"]),
  generation: (dice) => dice.between(0, 2 ** 40),
  // In full runs an event is remembered; what is remembered may not grow with the number of inputs.
  source: (dice) => `/fuzz/${dice.below(20)}`,
  namespace: (dice) => dice.pick(["default", "ci", "équipe", "a b", "%_\\"]),
  search: (dice) => dice.pick(["fz", "FZ-1", "%", "_", "\\", "'"]),
  prefer: (dice) => dice.pick(["wait=1", "wait=0", "respond-async", "wait=1, handling=lenient"]),
  "idempotency-key": (dice) => `"k${dice.below(50)}"`,
  "last-event-id": (dice) => dice.pick(["0", "1.1", "999999999999999.1"]),
  after: (dice) => dice.pick(times),
  cursor: (dice) => Buffer.from(`s${dice.below(50)}/${anyId(dice)}`).toString("base64url"),
  offset: (dice) => String(dice.below(200)),
  dryRun: (dice) => dice.pick(["true", "false"])
}

export class SchemaValues {
  private readonly api: OpenApi

  constructor(api: OpenApi) {
    this.api = api
  }

  /** `name`: of the member that it becomes. */
  valid(schema: Json, dice: Dice, name = ""): unknown {
    const resolved = this.api.resolve(schema)
    const { anyOf, enum: literals, format, type } = resolved
    if (Array.isArray(literals)) return dice.pick<unknown>(literals)
    if (Array.isArray(anyOf)) {
      const choice: unknown = dice.pick<unknown>(anyOf)
      return Predicate.isObject(choice) ? this.valid(choice, dice, name) : null
    }
    const ofName = Object.hasOwn(known, name) ? known[name] : undefined
    if (ofName !== undefined && (type === "string" || type === "integer")) return ofName(dice)
    if (format === "date-time") return dice.pick(times)
    switch (type) {
      case "object":
        return this.object(resolved, dice)
      case "array": {
        const { items } = resolved
        if (!Predicate.isObject(items)) return []
        return Array.from({ length: dice.pick([0, 1, 1, 2, 5]) }, () => this.valid(items, dice, name))
      }
      case "integer":
        return this.number(resolved, dice, true)
      case "number":
        return this.number(resolved, dice, false)
      case "boolean":
        return dice.chance(0.5)
      case "string":
        return this.text(resolved, dice)
      default:
        return null
    }
  }

  private object(schema: Json, dice: Dice): unknown {
    const required = Array.isArray(schema["required"]) ? schema["required"] : []
    const members: Array<readonly [string, unknown]> = []
    if (Predicate.isObject(schema["properties"])) {
      for (const [name, member] of Object.entries(schema["properties"])) {
        if (!Predicate.isObject(member) || (!required.includes(name) && dice.chance(0.4))) continue
        members.push([name, this.valid(member, dice, name)])
      }
    }
    const { additionalProperties } = schema
    if (Predicate.isObject(additionalProperties)) {
      for (let left = dice.below(4); left > 0; left--) {
        const name = dice.chance(0.5) ? `name-${dice.below(9)}` : hostileText(dice).slice(0, 317)
        members.push([name || "x", this.valid(additionalProperties, dice)])
      }
    }
    return Object.fromEntries(members)
  }

  private number(schema: Json, dice: Dice, isWhole: boolean): number {
    const least = Number(schema["minimum"] ?? schema["exclusiveMinimum"] ?? 0)
    const most = Number(schema["maximum"] ?? 1000)
    const number = dice.chance(0.2) ? hostileNumber(dice) : least + (dice.below(1000) + 1) / (isWhole ? 1 : 8)
    const within = Math.min(Math.max(number, least), most)
    return isWhole ? Math.round(within) : within
  }

  private text(schema: Json, dice: Dice): string {
    const most = Number(schema["maxLength"] ?? 200)
    const least = Number(schema["minLength"] ?? 0)
    const text = (dice.chance(0.5) ? `t${dice.below(20)}` : hostileText(dice)).slice(0, most)
    return text.length < least ? "x".repeat(least) : text
  }
}
