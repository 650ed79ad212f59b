/**
 * Who a credential stands for. The console has this, too: nothing of Effect is needed for it.
 */
import type { Role, TokenKind } from "./Token.ts"

/** Who a credential stands for, and for what it is good. */
export interface Identity {
  /** What it is known by for ever: in the audit log, and as the owner of what it provisions. */
  readonly id: string
  readonly name: string
  /** `anonymous`: authentication is off. `configured`: the operator's token of the configuration. */
  readonly kind: TokenKind | "anonymous" | "configured" | "oidc"
  readonly role: Role
  /** The namespaces that it is for; absent: all. */
  readonly namespaces: ReadonlyArray<string> | undefined
  /** It may change only the workers that it provisioned itself. */
  readonly ownWorkers: boolean
  /** The one worker that it is for: a machine's. */
  readonly worker: string | undefined
  /** Milliseconds since 1970; absent: no end is known. */
  readonly expiresAt: number | undefined
}

/** It is not for all workers. */
export const isRestricted = ({
  namespaces,
  ownWorkers,
  worker
}: Pick<Identity, "namespaces" | "ownWorkers" | "worker">): boolean =>
  namespaces !== undefined || ownWorkers || worker !== undefined
