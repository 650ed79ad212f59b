/**
 * `muster dead-letters retry` and `drop`: what somebody decides about dead letters.
 */
import type { WorkerId } from "@muster/core"
import { Console, Duration, Effect, Schedule } from "effect"
import { Prompt, TerminalCapabilities } from "effect/cli"
import { ask, type MusterClient } from "../client/MusterClient.ts"
import { Patience, type ServiceUnavailable } from "../client/ServiceAnswer.ts"
import type { toQuery } from "../commands/workerFilter.ts"
import { drawCount } from "../ProgressLine.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { printable } from "../TerminalText.ts"
import { plural } from "../TimeText.ts"
import { WrongUsage } from "../WrongUsage.ts"

type Query = ReturnType<typeof toQuery>

export interface Decision {
  readonly verb: "retry" | "drop"
  /** What is true of a dead letter afterwards. */
  readonly done: "retried" | "dropped"
  readonly one: (id: WorkerId) => Effect.Effect<"done" | "unknown", ServiceUnavailable, MusterClient>
  readonly all: (
    query: Query
  ) => Effect.Effect<{ readonly done: number; readonly left: number }, ServiceUnavailable, MusterClient>
}

const done = () => "done" as const
const unknown = () => Effect.succeed("unknown" as const)

export const retry: Decision = {
  verb: "retry",
  done: "retried",
  one: (id) =>
    ask((api) =>
      api["dead-letters"]
        .retryDeadLetter({ params: { id } })
        .pipe(Effect.map(done), Effect.catchTag("UnknownDeadLetter", unknown))
    ),
  all: (query) =>
    Effect.map(
      ask((api) => api["dead-letters"].retryDeadLetters({ query })),
      ({ left, retried }) => ({ done: retried, left })
    )
}

export const drop: Decision = {
  verb: "drop",
  done: "dropped",
  one: (id) =>
    ask((api) =>
      api["dead-letters"]
        .dropDeadLetter({ params: { id } })
        .pipe(Effect.map(done), Effect.catchTag("UnknownDeadLetter", unknown))
    ),
  all: (query) =>
    Effect.map(
      ask((api) => api["dead-letters"].dropDeadLetters({ query })),
      ({ dropped, left }) => ({ done: dropped, left })
    )
}

const idsAtOnce = 10

/** For those that were named. */
export const decideEach = Effect.fnUntraced(function* (
  decision: Decision,
  ids: ReadonlyArray<WorkerId>,
  json: boolean
) {
  let settled = 0
  const outcomes = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* drawCount(progressWord(decision), () => ({ done: settled, total: ids.length }))
      return yield* Effect.forEach(
        ids,
        (id) =>
          decision.one(id).pipe(
            Effect.map((result) =>
              result === "done"
                ? { id, result: decision.done }
                : { id, result: "failed", error: "The service knows no dead letter of this id." }
            ),
            Effect.catch(({ message }) => Effect.succeed({ id, result: "failed", error: message })),
            Effect.tap(() => Effect.sync(() => settled++))
          ),
        { concurrency: idsAtOnce }
      )
    })
  )
  yield* Console.log(
    json
      ? JSON.stringify({ items: outcomes }, undefined, 2)
      : outcomes
          .map(({ id, result, ...rest }) =>
            printable(`${id}  ${result}${"error" in rest ? `: ${rest.error}` : ""}`)
          )
          .join("\n")
  )
  const failures = outcomes.filter(({ result }) => result === "failed").length
  if (failures > 0) {
    return yield* new NotAllDone({
      message: `${failures} of ${plural(ids.length, "dead letter")} ${failures === 1 ? "was" : "were"} not ${decision.done}.`
    })
  }
})

/** The service may have a hundred thousand of them to write. */
const patienceForMany = Duration.minutes(30)

/** For all that match. */
export const decideAll = Effect.fnUntraced(function* (
  decision: Decision,
  query: Query,
  options: { readonly yes: boolean; readonly json: boolean }
) {
  const matching = yield* countMatching(query)
  if (matching > 0) yield* confirm(decision, matching, options.yes)
  let left = matching
  const result = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* drawCount(progressWord(decision), () => ({
        done: Math.max(0, matching - left),
        total: matching
      }))
      const look = Effect.map(countMatching(query), (now) => {
        left = now
      })
      yield* Effect.forkScoped(Effect.repeat(Effect.delay(Effect.ignore(look), "1 second"), Schedule.forever))
      return yield* Effect.provideService(decision.all(query), Patience, patienceForMany)
    })
  )
  yield* Console.log(
    options.json
      ? JSON.stringify({ [decision.done]: result.done, left: result.left })
      : `${plural(result.done, "dead letter")} ${decision.done}.`
  )
  if (result.left > 0) {
    return yield* new NotAllDone({
      message: `${plural(result.left, "dead letter")} had to stay, because too many changes are unfinished. Do the same again when the scheduler has caught up.`
    })
  }
})

const progressWord = ({ verb }: Decision): string => (verb === "retry" ? "Retrying" : "Dropping")

const countMatching = (query: Query): Effect.Effect<number, ServiceUnavailable, MusterClient> =>
  Effect.map(
    ask((api) => api["dead-letters"].listDeadLetters({ query: { ...query, limit: 1 } })),
    ({ total }) => total
  )

/** Dropping many is not done by a mistyped script; retrying many does no harm. */
const confirm = Effect.fnUntraced(function* ({ verb }: Decision, count: number, yes: boolean) {
  if (yes) return
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  if (!canPrompt) {
    if (verb === "retry") return
    return yield* new WrongUsage({
      message: `This drops ${plural(count, "dead letter")}, and there is no terminal to ask on: say --yes if that is meant.`
    })
  }
  const question = `${verb === "retry" ? "Retry" : "Drop"} ${plural(count, "dead letter")}?`
  const isMeant = yield* Effect.catchTag(
    Prompt.Confirm({ message: question }),
    "QuitError",
    () => Effect.interrupt
  )
  if (!isMeant) return yield* new NotAllDone({ message: "Nothing was changed." })
})
