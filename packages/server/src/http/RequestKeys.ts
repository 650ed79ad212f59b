/**
 * The keys by which requests that come again are recognised.
 */
import { Worker } from "@muster/core"
import type { Once } from "@muster/core/fleet"
import { Schema } from "effect"
import { hash } from "node:crypto"
import { type Caller, keySpace } from "../access/Caller.ts"
import type { WorkerInput } from "./WorkerInput.ts"

const longest = 256

/** A key of bounded length: long names are kept as a digest. */
export const keyOf = (kind: "event" | "request", ...names: ReadonlyArray<string>): string => {
  const key = JSON.stringify([kind, ...names])
  return key.length <= longest ? key : `${kind}:${hash("sha256", key, "base64")}`
}

const keyRule = "1 to 255 printable ASCII characters"

/** The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header); in double quotes or without. */
export const IdempotencyKey = Schema.String.check(
  Schema.isPattern(/^(?!""$)[\x20-\x7e]{1,255}$/, { expected: keyRule })
).annotate({
  description: `Makes of the same request, sent again, one: ${keyRule}. With another worker it is refused`,
  examples: ["8e03978e-40d5-43dd-bc93-6894a57f9324"]
})

/**
 * How a request to `place` about this worker, or a member of one, is recognised when it comes again; `undefined` where
 * it has no key.
 */
export const onceOf = (
  caller: Caller,
  key: string | undefined,
  place: string,
  input?: WorkerInput
): Once | undefined =>
  key === undefined
    ? undefined
    : {
        key: keyOf("request", ...keySpace(caller), key.replace(/^"(.*)"$/, "$1"), place),
        fingerprint: input === undefined ? "" : fingerprintOf(input)
      }

const encodeWorker = Schema.encodeSync(Worker)

/** Of what was understood of a request, which has a bound in size and depth; the request itself need not. */
const fingerprintOf = ({ leaseTtl, priority, saidWhenProvisioned, worker }: WorkerInput): string => {
  const { capabilities, id, metadata } = encodeWorker(worker)
  const provisionedAt = saidWhenProvisioned ? metadata?.provisionedAt : undefined
  const said = { id, capabilities, metadata: { ...metadata, provisionedAt }, priority, leaseTtl }
  return hash("sha256", JSON.stringify(said), "base64")
}
