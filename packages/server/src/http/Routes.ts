/**
 * Which methods each path of the API has: for 405 and OPTIONS.
 */
import { Api } from "./Api.ts"

/** Paths that are served beside the declared API. */
export const openApiPath = "/openapi.json"
export const docsPath = "/docs"

const pathPattern = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/:[A-Za-z]+/g, "[^/]+")}$`)

const routes = (): ReadonlyArray<readonly [RegExp, ReadonlySet<string>]> => {
  const methods = new Map<string, Set<string>>([
    [openApiPath, new Set(["GET"])],
    [docsPath, new Set(["GET"])]
  ])
  for (const group of Object.values(Api.groups)) {
    for (const { method, path } of Object.values(group.endpoints)) {
      methods.set(path, (methods.get(path) ?? new Set()).add(method))
    }
  }
  return Array.from(methods, ([path, methods]) => [pathPattern(path), withImplied(methods)] as const)
}

const withImplied = (methods: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...methods, ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"])

let known: ReturnType<typeof routes> | undefined

/** The methods that the routes at `path` have; empty where there is none. */
export const allowedMethods = (path: string): ReadonlyArray<string> => {
  known ??= routes()
  // A path can fit more than one route: /v1/workers/batch is also a worker's.
  return Array.from(new Set(known.flatMap(([pattern, methods]) => (pattern.test(path) ? [...methods] : []))))
}
