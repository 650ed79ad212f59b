import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { EmbeddedScheduler } from "../EmbeddedScheduler.ts"
import { type SchedulerCapability, SchedulerPort } from "../SchedulerPort.ts"
import { intercept } from "./intercept.ts"

const untouched = { one: <A>(call: A) => call, many: <A>(call: A) => call }

describe("a port behind a policy", () => {
  it("can do what the scheduler turns out to be able to do, also later", () => {
    const capabilities = new Set<SchedulerCapability>(["list", "get"])
    const port = intercept({ ...EmbeddedScheduler.make().port, capabilities }, untouched)
    capabilities.delete("list")
    assert.deepStrictEqual(Array.from(port.capabilities), ["get"])
  })

  it("has no batches where the scheduler has none", () => {
    const single = SchedulerPort.make({ register: () => Effect.void, unregister: () => Effect.void })
    assert.isUndefined(intercept(single, untouched).registerBatch)
    assert.isDefined(intercept(EmbeddedScheduler.make().port, untouched).registerBatch)
  })
})
