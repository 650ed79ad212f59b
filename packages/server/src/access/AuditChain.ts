/**
 * The audit log as a chain: each entry's hash covers the one before it, so none can be changed, left out or put in
 * between without all that follow telling of it.
 */
import type { AuditEntry } from "@muster/core/fleet"
import { hash } from "node:crypto"

/** A place in the chain. `0` and an empty hash: before its first entry. */
export interface ChainPlace {
  readonly sequence: number
  /** SHA-256 in hexadecimal. */
  readonly hash: string
}

/** An entry at its place. */
export interface ChainedEntry extends ChainPlace {
  readonly entry: AuditEntry
}

/** What a verifier needs of one: its JSON is what its hash is of. */
interface Link extends ChainPlace {
  readonly entry: object
}

export const chainBegin: ChainPlace = { sequence: 0, hash: "" }

/**
 * The hash of an entry that follows `previous`: over the previous hash, the entry's number and its compact JSON, each
 * on a line.
 */
const hashOf = (previous: ChainPlace, json: string): string =>
  hash("sha256", `${previous.hash}\n${previous.sequence + 1}\n${json}`, "hex")

/** The entry at the place after `previous`. */
export const chain = (previous: ChainPlace, entry: AuditEntry): ChainedEntry & { readonly json: string } => {
  const json = JSON.stringify(entry)
  return { sequence: previous.sequence + 1, hash: hashOf(previous, json), entry, json }
}

/** What is wrong with a chain, and where: the number of the first entry that shows it. */
export interface ChainBreak {
  readonly sequence: number
  readonly problem: "changed" | "missing" | "cut off"
}

/** Follows a chain from a place on. */
export class ChainVerifier {
  private place: ChainPlace
  private found: ChainBreak | undefined

  constructor(begin: ChainPlace) {
    this.place = begin
  }

  /** Takes the next entry; nothing after the first break counts. */
  add({ entry, hash, sequence }: Link): void {
    if (this.found !== undefined) return
    const expected = this.place.sequence + 1
    if (sequence !== expected) this.found = { sequence: expected, problem: "missing" }
    else if (hash !== hashOf(this.place, JSON.stringify(entry))) this.found = { sequence, problem: "changed" }
    else this.place = { sequence, hash }
  }

  /** The break, if there is one; `end` is where the chain has to end. */
  verdict(end: ChainPlace): ChainBreak | undefined {
    if (this.found !== undefined) return this.found
    if (this.place.sequence < end.sequence) return { sequence: this.place.sequence + 1, problem: "cut off" }
    return this.place.hash === end.hash ? undefined : { sequence: this.place.sequence, problem: "changed" }
  }

  get last(): ChainPlace {
    return this.place
  }
}
