/**
 * What a check of `muster doctor` has found.
 */
export type Severity = "ok" | "warning" | "problem"

export interface Finding {
  readonly severity: Severity
  /** What was found, as one sentence without its end. */
  readonly message: string
  /** What to do about it; absent where all is well. */
  readonly fix?: string | undefined
}

export const ok = (message: string): Finding => ({ severity: "ok", message })
export const warning = (message: string, fix: string): Finding => ({ severity: "warning", message, fix })
export const problem = (message: string, fix: string): Finding => ({ severity: "problem", message, fix })
