/**
 * The events that were accepted, by source and id, so that a duplicate is accepted once. Of many, the latest are
 * remembered: at least `limit` of them, at most twice as many.
 */
import { hash } from "node:crypto"

export class SeenEvents {
  // Two halves: when the recent one is full, the older one is dropped whole.
  private recent = new Set<string>()
  private older = new Set<string>()
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Remembers an event. `false`: it was there before. */
  add(source: string, id: string): boolean {
    const key = keyOf(source, id)
    if (this.recent.has(key) || this.older.has(key)) return false
    this.recent.add(key)
    if (this.recent.size >= this.limit) {
      this.older = this.recent
      this.recent = new Set()
    }
    return true
  }

  /** Forgets an event that was not accepted after all, so that it can be sent again. */
  remove(source: string, id: string): void {
    const key = keyOf(source, id)
    this.recent.delete(key)
    this.older.delete(key)
  }
}

// Long names are kept as a digest: what is remembered has a bounded size.
const keyOf = (source: string, id: string): string => {
  const key = JSON.stringify([source, id])
  return key.length <= 128 ? key : hash("sha256", key, "base64")
}
