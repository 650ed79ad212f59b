/**
 * Dead letters by why they failed: a thousand workers that a scheduler refuses for one reason are one cause.
 */
import { causeKey } from "../../../src/deadletters/causeKey.ts"
import { call, type FailureType, type WorkerStatus } from "../api.ts"

export interface DeadLetter {
  readonly id: string
  /** RFC 3339. */
  readonly at: string
}

export interface Cause {
  readonly key: string
  readonly type: FailureType
  /** What was said of the latest. */
  readonly message: string
  /** The latest first. */
  readonly letters: ReadonlyArray<DeadLetter>
}

export interface DeadLetters {
  readonly causes: ReadonlyArray<Cause>
  /** All there are; more than the causes count where there are very many. */
  readonly total: number
}

/** As many are read, and grouped. */
const most = 20_000

export const readDeadLetters = async (signal: AbortSignal): Promise<DeadLetters> => {
  const groups = new Map<string, { type: FailureType; message: string; letters: Array<DeadLetter> }>()
  let cursor: string | undefined
  let total = 0
  let read = 0
  do {
    const page = await call("GET", "/v1/dead-letters", {
      query: { limit: 1000, ...(cursor === undefined ? {} : { cursor }) },
      signal
    })
    for (const letter of page.items) add(groups, letter)
    total = page.total
    read += page.items.length
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && read < most)
  const causes = Array.from(groups, ([key, { letters, ...cause }]) => ({
    key,
    ...cause,
    letters: letters.toSorted((a, b) => b.at.localeCompare(a.at))
  }))
  return { causes: causes.toSorted((a, b) => b.letters.length - a.letters.length), total }
}

const add = (
  groups: Map<string, { type: FailureType; message: string; letters: Array<DeadLetter> }>,
  { id, lastError, updatedAt }: WorkerStatus
): void => {
  const { at, message, type } = lastError ?? { at: updatedAt, message: "", type: "unexpected" as const }
  const key = causeKey(type, message, id)
  const known = groups.get(key)
  if (known === undefined) groups.set(key, { type, message, letters: [{ id, at }] })
  else known.letters.push({ id, at })
}
