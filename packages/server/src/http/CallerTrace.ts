/**
 * The trace of whoever calls, where the service exports no spans of its own: it goes along with the change, and on to
 * the scheduler, as if the service were not there. Where it does export some, Effect's server begins one for the request.
 */
import { Context, Effect, Option, Tracer } from "effect"
import { HttpRouter, HttpServerRequest, HttpTraceContext } from "effect/http"

export const CallerTrace = HttpRouter.middleware(
  Effect.succeed((handler) =>
    Effect.withFiber((fiber) => {
      if (fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer) return handler
      return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
        const span = HttpTraceContext.fromHeaders(headers)
        // Until the request ends, not only the handler: a stream of lines is read after it, while it is answered.
        if (Option.isSome(span)) fiber.setContext(Context.add(fiber.context, Tracer.ParentSpan, span.value))
        return handler
      })
    })
  ),
  { global: true }
)
