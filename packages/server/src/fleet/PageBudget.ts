/**
 * How much goes on one page of a listing: so many workers, and no more text than can be held and sent at once. A
 * page of a thousand workers with every label as long as it may be would not fit into one string.
 */
import type { Worker } from "@muster/core"

const maximumCharacters = 8 * 1024 * 1024

export class PageBudget {
  private items: number
  private characters = maximumCharacters

  constructor(items: number) {
    this.items = items
  }

  /** Whether the next worker still goes on the page. After the first that does not, none does. */
  take(worker: Worker | undefined): boolean {
    if (this.items === 0 || this.characters <= 0) {
      this.items = 0
      return false
    }
    this.items--
    this.characters -= worker === undefined ? 0 : charactersOf(worker)
    return true
  }
}

const charactersOf = ({ capabilities, metadata }: Worker): number => {
  let characters = metadata.namespace.length
  for (const [name, value] of Object.entries(metadata.labels)) characters += name.length + value.length
  for (const tag of metadata.tags) characters += tag.length
  for (const name of Object.keys(capabilities.customResources)) characters += name.length
  return characters
}
