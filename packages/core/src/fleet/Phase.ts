/**
 * The phases of a worker.
 */
import { Schema } from "effect"

/** Where a worker is on its way: see `docs/http-api.md`. */
export const Phase = Schema.Literals([
  "pending",
  "registering",
  "registered",
  "ready",
  "unregistering",
  "terminated",
  "failed"
])
export type Phase = typeof Phase.Type
