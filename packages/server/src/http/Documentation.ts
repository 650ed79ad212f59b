/**
 * `/openapi.json` and `/docs`. Both are made when they are first asked for: the page carries its own scripts and
 * styles, some megabytes that a start should not wait for, and loads nothing from anywhere else.
 */
import { Effect, Scope } from "effect"
import { hash } from "node:crypto"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiSwagger, OpenApi } from "effect/http-api"
import { Api } from "./Api.ts"
import { docsPath, openApiPath } from "./Routes.ts"

export const Documentation = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const scope = yield* Effect.scope
    const document = yield* Effect.cached(
      Effect.sync(() => HttpServerResponse.jsonUnsafe(OpenApi.fromApi(Api)))
    )
    const page = yield* HttpRouter.toHttpEffect(HttpApiSwagger.layer(Api, { path: docsPath })).pipe(
      Scope.provide(scope),
      Effect.map(Effect.map(withProtection)),
      Effect.map(Effect.cached),
      Effect.flatten,
      Effect.cached
    )
    yield* router.add("GET", openApiPath, document)
    yield* router.add("GET", docsPath, Effect.flatten(page))
  })
)

/**
 * Nothing from other hosts, in no frame, and no scripts but those of the page itself, which stand in it. Its styles are
 * written into its elements.
 */
const withProtection = (
  page: HttpServerResponse.HttpServerResponse
): HttpServerResponse.HttpServerResponse => {
  const html = page.body._tag === "Uint8Array" ? new TextDecoder().decode(page.body.body) : ""
  const scripts = Array.from(
    html.matchAll(/<script>([^]*?)<\/script>/g),
    ([, script = ""]) => `'sha256-${hash("sha256", script, "base64")}'`
  )
  return HttpServerResponse.setHeaders(page, {
    "content-security-policy": [
      "default-src 'none'",
      `script-src ${scripts.join(" ")}`,
      "style-src 'unsafe-inline'",
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'"
    ].join("; "),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer"
  })
}
