/**
 * How much goes on one page of a listing: so many workers, and no more text than can be held and sent at once. A
 * page of a thousand workers with every label as long as it may be would not fit into one string.
 */

const maximumCharacters = 8 * 1024 * 1024

export class PageBudget {
  private items: number
  private characters = maximumCharacters

  constructor(items: number) {
    this.items = items
  }

  /** Whether the next worker, of so many characters as JSON, still goes on the page. After one does not, none does. */
  take(characters: number): boolean {
    if (this.items === 0 || this.characters <= 0) {
      this.items = 0
      return false
    }
    this.items--
    this.characters -= characters
    return true
  }
}
