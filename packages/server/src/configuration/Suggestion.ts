/**
 * What somebody may have meant who wrote a name that there is not.
 */

/** How many letters have to be added, removed or replaced to make one of the other (Levenshtein's distance). */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [index, letter] of Array.from(left).entries()) {
    const next = [index + 1]
    for (const [column, other] of Array.from(right).entries()) {
      const [before = 0, above = 0] = [row[column], row[column + 1]]
      next.push(Math.min(before + (letter === other ? 0 : 1), above + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** At most so many letters may be wrong. */
const tolerance = 3

/** The one of `names` that is most like `name`, where one is like it at all. */
export const suggestion = (name: string, names: ReadonlyArray<string>): string | undefined => {
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of names) {
    if (Math.abs(candidate.length - name.length) > tolerance) continue
    const found = distance(name, candidate)
    if (found <= tolerance && (best === undefined || found < best.distance)) {
      best = { name: candidate, distance: found }
    }
  }
  return best?.name
}
