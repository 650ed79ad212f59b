/**
 * Which methods each path of the API has: for 405, OPTIONS and the names of spans.
 */
import { Api } from "./Api.ts"

/** Paths that are served beside the declared API. */
export const openApiPath = "/openapi.json"
export const docsPath = "/docs"
export const consolePath = "/"
export const consoleFilesPath = "/console/:file"

const pathPattern = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/:[A-Za-z]+/g, "[^/]+")}$`)

interface Route {
  /** With its parameters, as in `/v1/workers/:id`. */
  readonly path: string
  readonly pattern: RegExp
  readonly methods: ReadonlySet<string>
}

const routes = (): ReadonlyArray<Route> => {
  const methods = new Map<string, Set<string>>([
    [openApiPath, new Set(["GET"])],
    [docsPath, new Set(["GET"])],
    [consolePath, new Set(["GET"])],
    [consoleFilesPath, new Set(["GET"])]
  ])
  for (const group of Object.values(Api.groups)) {
    for (const { method, path } of Object.values(group.endpoints)) {
      methods.set(path, (methods.get(path) ?? new Set()).add(method))
    }
  }
  return Array.from(methods, ([path, methods]) => ({
    path,
    pattern: pathPattern(path),
    methods: withImplied(methods)
  }))
}

const withImplied = (methods: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...methods, ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"])

let known: ReadonlyArray<Route> | undefined

/** The routes at `path`. There can be more than one: /v1/workers/batch is also a worker's. */
const routesAt = (path: string): ReadonlyArray<Route> => {
  known ??= routes()
  return known.filter(({ pattern }) => pattern.test(path))
}

/** The methods that the routes at `path` have; empty where there is none. */
export const allowedMethods = (path: string): ReadonlyArray<string> =>
  Array.from(new Set(routesAt(path).flatMap(({ methods }) => [...methods])))

/** The route that a request goes to, with its parameters as `:id`; `undefined` where it goes to none. */
export const routeOf = (method: string, path: string): string | undefined => {
  const fitting = routesAt(path).filter(({ methods }) => methods.has(method))
  return (fitting.find((route) => route.path === path) ?? fitting[0])?.path
}
