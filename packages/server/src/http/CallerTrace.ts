/**
 * The trace of whoever calls, where the service exports no spans of its own: it goes along with the change, and on to
 * the scheduler, as if the service were not there. Where it does export some, Effect's server begins one for the request.
 */
import { Effect, Option, Tracer } from "effect"
import { HttpRouter, HttpServerRequest, HttpTraceContext } from "effect/http"

export const CallerTrace = HttpRouter.middleware(
  Effect.succeed((handler) =>
    Effect.withFiber((fiber) => {
      if (fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer) return handler
      return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
        const span = HttpTraceContext.fromHeaders(headers)
        return Option.isSome(span) ? Effect.provideService(handler, Tracer.ParentSpan, span.value) : handler
      })
    })
  ),
  { global: true }
)
