/**
 * Which format a fleet file has: by the option, by the name's ending, or by how the content begins.
 */
import { Predicate } from "effect"
import { isKubernetesObject } from "./Kubernetes.ts"

export const formats = ["csv", "ndjson", "json", "yaml"] as const
export type Format = (typeof formats)[number]

const endings: ReadonlyMap<string, Format> = new Map([
  ["csv", "csv"],
  ["ndjson", "ndjson"],
  ["jsonl", "ndjson"],
  ["json", "json"],
  ["yaml", "yaml"],
  ["yml", "yaml"]
])

/** The format that a name promises. */
export const fromName = (name: string): Format | undefined =>
  endings.get(/\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? "")

/** The format of a content that begins with `beginning`; `undefined` when it looks like none of them. */
export const fromContent = (beginning: string): Format | undefined => {
  const text = beginning.trimStart()
  if (text.includes("\0")) return undefined
  if (text.startsWith("[")) return "json"
  if (text.startsWith("{")) return jsonOrNdjson(text)
  if (/^(?:---|%YAML|#|- |[A-Za-z][\w.-]*:(?:\s|$))/.test(text)) return "yaml"
  const header = firstLine(text).trim()
  return header.includes(",") || /^"?[\w.-]+"?$/.test(header) ? "csv" : undefined
}

/** Whether a beginning says enough for {@link fromContent} and for the readers; if not, more is read. */
export const isEnough = (beginning: string): boolean => {
  const text = beginning.trimStart()
  if (!text.includes("\n")) return false
  return !text.startsWith("{") || text.length >= 4096 || parsed(firstLine(text)) !== undefined
}

const firstLine = (text: string): string => text.slice(0, (text.indexOf("\n") + 1 || text.length + 1) - 1)

const jsonOrNdjson = (text: string): Format => {
  const first = parsed(firstLine(text))
  if (first === undefined) {
    // Either a document over several lines, or one line that goes beyond what was read.
    return text.includes("\n") || /"kind"\s*:\s*"(?:Node)?List"|"items"\s*:\s*\[/.test(text)
      ? "json"
      : "ndjson"
  }
  const isOnly = text.slice(firstLine(text).length).trim() === ""
  return isOnly && Predicate.isObject(first) && (isKubernetesObject(first) || Array.isArray(first.items))
    ? "json"
    : "ndjson"
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
