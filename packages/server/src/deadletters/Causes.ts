/**
 * Dead letters by why they failed: a thousand workers that a scheduler refuses for one reason are one cause.
 */
import { Clock, Console, Effect, Stream } from "effect"
import type { WorkerQuery } from "../commands/workerFilter.ts"
import type { WorkerView } from "../http/Schemas.ts"
import { drawCount } from "../ProgressLine.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { printable, wrap } from "../TerminalText.ts"
import { plural, relative } from "../TimeText.ts"
import { readDeadLetters, workerPages } from "../workers/WorkerPages.ts"
import { causeKey } from "./causeKey.ts"

interface Cause {
  readonly count: number
  readonly type: string
  /** What was said of one of them. */
  readonly message: string
  /** Whose message it is. */
  readonly example: string
  /** The latest of them; RFC 3339. */
  readonly latest: string
}

/** So many causes are told apart; further ones count as one. */
const mostCauses = 1000

export class Causes {
  total = 0
  private readonly byKey = new Map<string, Cause>()

  add({ id, lastError, updatedAt }: WorkerView): void {
    this.total++
    const { at, message, type } = lastError ?? { at: updatedAt, message: "", type: "unknown" }
    const named = causeKey(type, message, id)
    const key = this.byKey.has(named) || this.byKey.size < mostCauses ? named : "others"
    const known = this.byKey.get(key)
    this.byKey.set(
      key,
      known === undefined
        ? { count: 1, type, message, example: id, latest: at }
        : { ...known, count: known.count + 1, latest: at > known.latest ? at : known.latest }
    )
  }

  /** The most frequent first. */
  get items(): ReadonlyArray<Cause> {
    return Array.from(this.byKey.values()).toSorted((a, b) => b.count - a.count)
  }
}

export const listCauses = Effect.fnUntraced(function* (query: WorkerQuery, json: boolean) {
  const causes = new Causes()
  let total = 0
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* drawCount("Reading dead letters", () => ({ done: causes.total, total }))
      yield* Stream.runForEach(workerPages(readDeadLetters, query), (page) =>
        Effect.sync(() => {
          total = page.total
          for (const view of page.items) causes.add(view)
        })
      )
    })
  )
  const { items } = causes
  if (json) return yield* Console.log(JSON.stringify({ items, total: causes.total }, undefined, 2))
  const { columns = Infinity, paint } = yield* terminalOutput
  const now = yield* Clock.currentTimeMillis
  if (items.length === 0) return yield* Console.log("There is no such dead letter.")
  yield* Console.log(
    items
      .flatMap(({ count, example, latest, message, type }) => [
        `${paint("bold", plural(count, "dead letter"))}  ${paint("red", type)}  ${paint("dim", `the latest ${relative(Date.parse(latest), now)}, such as ${printable(example)}`)}`,
        ...wrap(printable(message), Math.max(20, columns - 2)).map((line) => `  ${line}`)
      ])
      .join("\n")
  )
})
