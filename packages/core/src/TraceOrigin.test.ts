import { assert, describe, it } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import { spanOf, type TraceOrigin, traceOriginOf } from "./TraceOrigin.ts"

const originIn = (span: { readonly traceId: string; readonly spanId: string; readonly sampled?: boolean }) =>
  Effect.withParentSpan(
    Effect.withFiber((fiber) => Effect.succeed(traceOriginOf(fiber))),
    Tracer.externalSpan(span)
  )

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"

describe("TraceOrigin", () => {
  it.effect.each([
    [true, "01"],
    [false, "00"]
  ] as const)("survives being written down, sampled or not: %s", ([sampled, flags]) =>
    Effect.gen(function* () {
      const origin = yield* originIn({ traceId, spanId, sampled })
      assert.strictEqual(origin, `00-${traceId}-${spanId}-${flags}`)
      assert.include(spanOf(origin), { traceId, spanId, sampled })
    })
  )

  it.effect("fills up the short trace ids of B3", () =>
    Effect.gen(function* () {
      const origin = yield* originIn({ traceId: spanId, spanId })
      assert.strictEqual(origin, `00-${"0".repeat(16)}${spanId}-${spanId}-01`)
    })
  )

  it.effect("is nothing where there is no span", () =>
    Effect.withFiber((fiber) => Effect.sync(() => assert.isUndefined(traceOriginOf(fiber))))
  )

  it.effect.each([
    { traceId: "noop", spanId: "noop" },
    { traceId: traceId.toUpperCase(), spanId },
    { traceId: `${traceId}0`, spanId },
    { traceId, spanId: `${spanId}\r\nx: y` },
    { traceId, spanId: "" }
  ])("is nothing where a span's ids are not those of W3C: %j", (span) =>
    Effect.map(originIn(span), (origin) => assert.isUndefined(origin))
  )

  it.each<[TraceOrigin | undefined]>([
    [undefined],
    [""],
    [`01-${traceId}-${spanId}-01`],
    ["x".repeat(10_000)]
  ])("is no span where something else lies in its place: %s", (text) => {
    assert.isUndefined(spanOf(text))
  })
})
