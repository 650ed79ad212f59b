/**
 * `/openapi.json` and `/docs`. Both are made when they are first asked for: the page carries its own scripts and
 * styles, some megabytes that a start should not wait for, and loads nothing from anywhere else.
 */
import { Effect, Scope } from "effect"
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
      Effect.cached
    )
    yield* router.add("GET", openApiPath, document)
    yield* router.add("GET", docsPath, Effect.flatten(page))
  })
)
