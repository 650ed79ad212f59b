/**
 * The sessions that the scheduler gave for what it holds. With one, the very same registration can be made again where
 * there is no new token: because the worker says that it is ready, or is checked on. The scheduler does not look at the
 * worker then, so one that has changed must not use the session that it had before.
 */
import type { WorkerId } from "@muster/core"
import { createHash } from "node:crypto"

/** Some 300 bytes each. The longest unused ones are forgotten: their workers take a token again. */
const mostSessions = 100_000

const longestSession = 256

interface Session {
  readonly id: string
  readonly registered: string
}

export class Sessions {
  private readonly sessions = new Map<WorkerId, Session>()

  /** The session in which this was registered, or an empty text. `registered` is the message, as bytes. */
  find(workerId: WorkerId, registered: Uint8Array): string {
    const session = this.sessions.get(workerId)
    return session?.registered === digest(registered) ? session.id : ""
  }

  keep(workerId: WorkerId, registered: Uint8Array, id: string): void {
    this.sessions.delete(workerId)
    if (id === "" || id.length > longestSession) return
    this.sessions.set(workerId, { id, registered: digest(registered) })
    const [oldest] = this.sessions.size > mostSessions ? this.sessions.keys() : []
    if (oldest !== undefined) this.sessions.delete(oldest)
  }

  forget(workerId: WorkerId): void {
    this.sessions.delete(workerId)
  }
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64")
