/**
 * The `Prefer` header (RFC 7240), of which `wait` is understood.
 */
import { HttpLimits } from "./HttpLimits.ts"

/**
 * The seconds that a client asks the service to wait for the outcome, at most {@link HttpLimits.waitSeconds}.
 * `undefined` where it does not ask: a preference that cannot be understood is ignored (RFC 7240, section 2), and
 * of two with the same name the first counts.
 *
 * @example
 * ```ts
 * preferredWait("respond-async, wait=10") // 10
 * ```
 */
export const preferredWait = (prefer: string | undefined): number | undefined => {
  for (const preference of prefer?.split(",") ?? []) {
    const [name, value] = (preference.split(";", 1)[0] ?? "").split("=", 2)
    if (name?.trim().toLowerCase() !== "wait") continue
    const seconds = /^\s*(?:(\d+)|"(\d+)")\s*$/.exec(value ?? "")
    if (seconds === null) return undefined
    return Math.min(Number(seconds[1] ?? seconds[2]), HttpLimits.waitSeconds)
  }
  return undefined
}
