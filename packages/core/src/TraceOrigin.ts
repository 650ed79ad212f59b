/**
 * The trace in which somebody asked for something: what ties a call to the scheduler, minutes later and perhaps in
 * another process, to the request that led to it.
 */
import { Context, type Fiber, Option, Tracer } from "effect"

/** A span as W3C Trace Context writes it in `traceparent`, version 00: always 55 characters. */
export type TraceOrigin = string

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** A span costs several microseconds, and the built-in tracer keeps it in memory where nobody looks. */
export const isTraced = (fiber: AnyFiber): boolean => fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer

/**
 * The span that a fiber is in. Where nobody traces, it is the one of whoever called from outside: spans between are
 * told to nobody, so nothing can be tied to them.
 */
export const traceOriginOf = (fiber: AnyFiber): TraceOrigin | undefined => {
  let span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (span === undefined) return undefined
  if (!isTraced(fiber)) while (span?._tag === "Span") span = Option.getOrUndefined(span.parent)
  if (span === undefined) return undefined
  const origin = `00-${span.traceId.padStart(32, "0")}-${span.spanId}-${span.sampled ? "01" : "00"}`
  return pattern.test(origin) ? origin : undefined
}

const pattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])$/

/** The span again; `undefined` for what {@link traceOriginOf} did not write. */
export const spanOf = (origin: TraceOrigin | undefined): Tracer.ExternalSpan | undefined => {
  if (origin === undefined) return undefined
  const [, traceId, spanId, sampled] = pattern.exec(origin) ?? []
  return traceId === undefined || spanId === undefined
    ? undefined
    : Tracer.externalSpan({ traceId, spanId, sampled: sampled === "1" })
}
