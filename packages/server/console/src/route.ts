/**
 * Where the reader is. It stands after the `#` of the address, so that a link can be shared and the service serves one
 * page only.
 */
import { computed, signal } from "@preact/signals"

export type View =
  | "overview"
  | "workers"
  | "worker"
  | "dead-letters"
  | "scheduler"
  | "cluster"
  | "tokens"
  | "audit"

export interface Route {
  readonly view: View
  /** The worker, of the view `worker`. */
  readonly id: string
  readonly query: URLSearchParams
}

const views: Readonly<Record<string, View>> = {
  "": "overview",
  workers: "workers",
  "dead-letters": "dead-letters",
  scheduler: "scheduler",
  cluster: "cluster",
  tokens: "tokens",
  audit: "audit"
}

const parseRoute = (hash: string): Route => {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2)
  const [first = "", ...rest] = path.split("/")
  const id = decode(rest.join("/"))
  const view = first === "workers" && id !== "" ? "worker" : (views[first] ?? "overview")
  return { view, id, query: new URLSearchParams(query) }
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const hash = signal(location.hash)
addEventListener("hashchange", () => {
  hash.value = location.hash
})

export const route = computed(() => parseRoute(hash.value))

export const toWorker = (id: string): string => `#/workers/${encodeURIComponent(id)}`

export const toWorkers = (query: Array<[string, string]> | URLSearchParams = []): string => {
  const text = new URLSearchParams(query).toString()
  return text === "" ? "#/workers" : `#/workers?${text}`
}

export const go = (to: string): void => {
  location.hash = to
}

/** Changes the address without a step for the browser's way back. */
export const replace = (to: string): void => {
  history.replaceState(null, "", to)
  hash.value = to
}
