/**
 * Which column of a CSV file gives which field of a worker, and how a cell, which is text, becomes the field's value.
 */
import { Effect } from "effect"
import { WrongUsage } from "../WrongUsage.ts"

/** `--column FIELD=COLUMN`, read. */
export interface ColumnMapping {
  readonly field: Field
  readonly column: string
}

/** What a cell gives: the value, or the rule that it breaks. */
type Converted = { readonly value: unknown } | { readonly rule: string }

export interface Field {
  /** As the user writes it, such as `capabilities.cpuMillis` or `metadata.labels.zone`. */
  readonly path: string
  /** Where the value goes in what a worker is decoded from. */
  readonly target: readonly [string] | readonly [string, string] | readonly [string, string, string]
  readonly convert: (cell: string) => Converted
}

const toText = (cell: string): Converted => ({ value: cell })

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

const toNumber = (cell: string): Converted =>
  decimal.test(cell) ? { value: Number(cell) } : { rule: "a decimal number" }

const fromMillis = (cell: string): Converted =>
  decimal.test(cell) ? { value: Number(cell) / 1000 } : { rule: "a decimal number of thousandths of a core" }

const words = new Map([
  ["true", true],
  ["yes", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["0", false]
])

const toBoolean = (cell: string): Converted => {
  const value = words.get(cell.toLowerCase())
  return value === undefined ? { rule: "true, false, yes, no, 1 or 0" } : { value }
}

const toTags = (cell: string): Converted => ({
  value: cell
    .split(/[;,]/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "")
})

const field = (path: string, convert: Field["convert"], section: string, name: string): Field => ({
  path,
  target: [section, name],
  convert
})

const fields: ReadonlyArray<Field> = [
  { path: "id", target: ["id"], convert: toText },
  field("capabilities.cpuCores", toNumber, "capabilities", "cpuCores"),
  field("capabilities.cpuMillis", fromMillis, "capabilities", "cpuCores"),
  field("capabilities.memoryMb", toNumber, "capabilities", "memoryMb"),
  field("capabilities.dockerEnabled", toBoolean, "capabilities", "dockerEnabled"),
  field("metadata.workerType", toText, "metadata", "workerType"),
  field("metadata.namespace", toText, "metadata", "namespace"),
  field("metadata.tags", toTags, "metadata", "tags"),
  field("metadata.provisionedAt", toText, "metadata", "provisionedAt")
]

const families = [
  { section: "capabilities", name: "customResources", convert: toNumber },
  { section: "metadata", name: "labels", convert: toText }
] as const

/** Every FIELD that there is, in words. */
const fieldList = [
  ...fields.map(({ path }) => path),
  ...families.map(({ name, section }) => `${section}.${name}.NAME`)
].join(", ")

/** The field that a path names. What follows `customResources.` and `labels.` is the name, dots included. */
const fieldAt = (path: string): Field | undefined => {
  for (const { convert, name, section } of families) {
    const key = path.startsWith(`${section}.${name}.`) ? path.slice(section.length + name.length + 2) : ""
    if (key !== "") return { path, target: [section, name, key], convert }
  }
  return fields.find((known) => known.path === path)
}

/** Where the value of a field goes, as one key: two columns for the same place are a mistake. */
const place = ({ target }: Field) => JSON.stringify(target)

const required = [
  { place: JSON.stringify(["id"]), name: "id" },
  {
    place: JSON.stringify(["capabilities", "cpuCores"]),
    name: "capabilities.cpuCores or capabilities.cpuMillis"
  },
  { place: JSON.stringify(["capabilities", "memoryMb"]), name: "capabilities.memoryMb" }
]

/** Reads the values of `--column`. */
export const parseMappings = Effect.fnUntraced(function* (
  values: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<ColumnMapping>, WrongUsage> {
  const mappings: Array<ColumnMapping> = []
  for (const value of values) {
    const separator = value.indexOf("=")
    const path = value.slice(0, separator).trim()
    const column = value.slice(separator + 1).trim()
    if (separator === -1 || path === "" || column === "") {
      return yield* new WrongUsage({
        message: `--column ${JSON.stringify(value)} is not FIELD=COLUMN, such as id=hostname. Fields: ${fieldList}`
      })
    }
    const field = fieldAt(path)
    if (field === undefined) {
      return yield* new WrongUsage({
        message: `--column ${JSON.stringify(value)}: there is no field ${JSON.stringify(path)}. Fields: ${fieldList}`
      })
    }
    const rival = mappings.find((other) => place(other.field) === place(field))
    if (rival !== undefined) {
      return yield* new WrongUsage({
        message: `--column gives ${field.path} twice: ${rival.field.path}=${rival.column} and ${path}=${column}`
      })
    }
    mappings.push({ field, column })
  }
  return mappings
})

/** A mapping whose column was found: `index` counts the columns from 0. */
export interface Column extends ColumnMapping {
  readonly index: number
}

/**
 * The columns to take from a file with this header: those of the mappings, or without any, those that are named like
 * a field.
 */
export const resolve = Effect.fnUntraced(function* (
  header: ReadonlyArray<string>,
  mappings: ReadonlyArray<ColumnMapping>
): Effect.fn.Return<ReadonlyArray<Column>, WrongUsage> {
  const names = header.map((name) => name.trim())
  const separator = names.length === 1 ? /[;\t|]/.exec(names[0] ?? "")?.[0] : undefined
  if (separator !== undefined) {
    return yield* new WrongUsage({
      message: `The header is a single column, ${JSON.stringify(names[0]?.slice(0, 200))}: its cells seem to be separated by ${JSON.stringify(separator)}. Separate them by commas.`
    })
  }
  const wanted = mappings.length > 0 ? mappings : names.flatMap(namedLikeField)
  const columns: Array<Column> = []
  for (const { column, field } of wanted) {
    const index = names.indexOf(column)
    const option = `--column ${field.path}=${column}`
    if (index === -1) {
      const message = `${option}: the file has no column ${JSON.stringify(column)}. ${listColumns(names)}`
      return yield* new WrongUsage({ message })
    }
    if (names.lastIndexOf(column) !== index) {
      const message = `${option}: the file has more than one column ${JSON.stringify(column)}. Rename them in its header; ${listColumns(names)}`
      return yield* new WrongUsage({ message })
    }
    columns.push({ column, field, index })
  }
  const places = new Set(columns.map(({ field }) => place(field)))
  const missing = required.filter((one) => !places.has(one.place)).map(({ name }) => name)
  if (missing.length === 0) return columns
  return yield* new WrongUsage({
    message: `No column gives ${missing.join(" nor ")}. Say which one does with --column FIELD=COLUMN. ${listColumns(names)}`
  })
})

const namedLikeField = (column: string): ReadonlyArray<ColumnMapping> => {
  const field = fieldAt(column)
  return field === undefined ? [] : [{ column, field }]
}

const mostNames = 50

const listColumns = (names: ReadonlyArray<string>): string => {
  const shown = names.slice(0, mostNames).map((name) => (name === "" ? '""' : name.slice(0, 100)))
  const rest = names.length > mostNames ? ` and ${names.length - mostNames} more` : ""
  return `Columns of the file: ${shown.join(", ")}${rest}`
}
