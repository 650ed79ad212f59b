/**
 * How requests are called in traces: by their route, so that there are as few names as there are routes.
 */
import type { HttpServerRequest } from "effect/http"
import { routeOf } from "./Routes.ts"

const pathOf = ({ url }: HttpServerRequest.HttpServerRequest): string => url.split(/[?#]/, 1)[0] ?? ""

export const spanNameOf = (request: HttpServerRequest.HttpServerRequest): string => {
  const route = routeOf(request.method, pathOf(request))
  return route === undefined ? request.method : `${request.method} ${route}`
}

const probes: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"])

/** Asked every few seconds for as long as the service runs, and of no interest in a trace. */
export const isProbe = (request: HttpServerRequest.HttpServerRequest): boolean => probes.has(pathOf(request))
