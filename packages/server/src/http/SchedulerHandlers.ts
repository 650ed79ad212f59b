/**
 * `/v1/scheduler`: the scheduler itself, and what it holds.
 */
import {
  AdaptiveConcurrency,
  CircuitBreaker,
  type ListedWorker,
  Pacing,
  RegistrationConfig,
  type SchedulerError,
  SchedulerPort,
  SchedulerUnavailable
} from "@muster/core"
import { Duration, Effect, Option, Schema, Stream } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Fleet, PageBudget } from "@muster/core/fleet"
import { Api } from "./Api.ts"
import { HttpLimits } from "./HttpLimits.ts"
import { InvalidRequest, NotSupported, SchedulerFailure, SchedulerUnavailableProblem } from "./Problems.ts"
import { healthOf } from "./SchedulerHealthCheck.ts"
import { SchedulerName } from "./SchedulerName.ts"
import { toDriftView } from "./Schemas.ts"

// As everywhere in Muster's JSON: text that a variable of the configuration takes, too.
const toText = Schema.encodeSync(Schema.DurationFromString)

const listTimeout = Duration.seconds(60)

export const SchedulerHandlers = HttpApiBuilder.group(
  Api,
  "scheduler",
  Effect.fnUntraced(function* (handlers) {
    const adapter = yield* SchedulerName
    const port = yield* SchedulerPort
    const fleet = yield* Fleet
    const config = yield* RegistrationConfig

    const adaptive = yield* Effect.serviceOption(AdaptiveConcurrency)
    const breaker = yield* Effect.serviceOption(CircuitBreaker)
    const pacing = yield* Effect.serviceOption(Pacing)

    const configuration = {
      maxRetries: config.maxRetries,
      baseBackoff: toText(config.baseBackoff),
      maxBackoff: toText(config.maxBackoff),
      jitter: config.jitter,
      attemptTimeout: toText(config.attemptTimeout),
      deadline: config.deadline === undefined ? null : toText(config.deadline),
      retryDelay: toText(fleet.options.retryDelay),
      maxRetryDelay: toText(fleet.options.maxRetryDelay)
    }

    const cannotList = () => new NotSupported({ detail: `The ${adapter} scheduler cannot list its workers.` })

    return handlers
      .handle(
        "getScheduler",
        Effect.fnUntraced(function* () {
          const { inFlight, unfinished } = yield* fleet.load
          return {
            adapter,
            capabilities: Array.from(port.capabilities),
            health: port.health === undefined ? null : yield* healthOf(port.health),
            concurrency: { limit: fleet.options.concurrency, inFlight },
            calls: Option.getOrNull(Option.map(adaptive, ({ state }) => state())),
            circuit: Option.isNone(breaker) ? null : { state: yield* breaker.value.state },
            rate: Option.getOrNull(
              Option.map(pacing, ({ state }) => {
                const { limit, waiting } = state()
                return { limit: limit === undefined ? null : Math.round(limit * 10) / 10, waiting }
              })
            ),
            unfinished: { limit: fleet.options.maxUnfinished, count: unfinished },
            // Without the store, the rest still says something.
            drift: toDriftView(yield* Effect.orElseSucceed(fleet.drift, Option.none)),
            configuration
          }
        })
      )
      .handle(
        "listSchedulerWorkers",
        Effect.fnUntraced(function* ({ query }) {
          if (port.list === undefined) {
            return yield* cannotList()
          }
          const from = yield* readCursor(query.cursor)
          const page = yield* Effect.catchTag(
            pageOf(
              unlessItStops(port.list, config.attemptTimeout),
              from,
              query.limit ?? HttpLimits.pageDefault
            ),
            "SchedulerFailure",
            (problem) => Effect.fail(port.capabilities.has("list") ? problem : cannotList())
          )
          return {
            items: page.items.map(({ generation, worker }) => ({ worker, generation: generation ?? null })),
            nextCursor: page.hasMore ? writeCursor(from.offset, page.items) : null,
            total: page.total
          }
        })
      )
  })
)

/** Where a page begins: after the worker `after`, or, should it be gone by then, after so many workers. */
interface Position {
  readonly offset: number
  readonly after: string | undefined
}

const charactersOf = ({ worker }: ListedWorker): number => JSON.stringify(worker).length

class PageReader {
  total = 0
  private readonly byOffset: Array<ListedWorker> = []
  private readonly byWorker: Array<ListedWorker> = []
  private seenAt: number | undefined
  private readonly from: Position
  private readonly offsetBudget: PageBudget
  private readonly workerBudget: PageBudget

  constructor(from: Position, limit: number) {
    this.from = from
    this.offsetBudget = new PageBudget(limit)
    this.workerBudget = new PageBudget(limit)
  }

  add(held: ListedWorker): void {
    if (this.total >= this.from.offset && this.offsetBudget.take(charactersOf(held))) this.byOffset.push(held)
    if (this.seenAt !== undefined && this.workerBudget.take(charactersOf(held))) this.byWorker.push(held)
    this.total++
    if (held.worker.id === this.from.after) this.seenAt = this.total
  }

  get page() {
    const items = this.seenAt === undefined ? this.byOffset : this.byWorker
    const end = (this.seenAt ?? Math.min(this.from.offset, this.total)) + items.length
    return { items, hasMore: end < this.total, total: this.total }
  }
}

/** A list may take its time as long as it keeps coming. */
const unlessItStops = (list: Stream.Stream<ListedWorker, SchedulerError>, patience: Duration.Duration) =>
  Stream.timeoutOrElse(list, {
    duration: patience,
    orElse: () => Stream.fail(new SchedulerUnavailable({ message: "the list stopped coming" }))
  })

const pageOf = (list: Stream.Stream<ListedWorker, SchedulerError>, from: Position, limit: number) =>
  Effect.suspend(() => {
    const reader = new PageReader(from, limit)
    return list.pipe(
      Stream.runForEachArray((chunk) => Effect.sync(() => chunk.forEach((held) => reader.add(held)))),
      Effect.map(() => reader.page)
    )
  }).pipe(
    Effect.mapError(toProblem),
    Effect.timeoutOrElse({
      duration: listTimeout,
      orElse: () => Effect.fail(unavailable(`No answer within ${Duration.format(listTimeout)}.`, undefined))
    })
  )

const toProblem = (error: SchedulerError) =>
  error._tag === "SchedulerUnavailable"
    ? unavailable(error.message, error.retryAfter)
    : new SchedulerFailure({ detail: error.message })

const unavailable = (detail: string, retryAfter: Duration.Duration | undefined) =>
  new SchedulerUnavailableProblem({
    detail,
    retryAfter: retryAfterSeconds(retryAfter)
  })

/** At most an hour, whatever the scheduler says: it may say that it never comes back. */
const retryAfterSeconds = (retryAfter: Duration.Duration = Duration.zero): number =>
  Math.min(Math.max(1, Math.ceil(Duration.toSeconds(retryAfter))), 3600)

const writeCursor = (offset: number, items: ReadonlyArray<ListedWorker>): string =>
  Buffer.from(`s${offset + items.length}/${items.at(-1)?.worker.id ?? ""}`).toString("base64url")

const readCursor = (cursor: string | undefined): Effect.Effect<Position, InvalidRequest> => {
  if (cursor === undefined) return Effect.succeed({ offset: 0, after: undefined })
  const [, offset, after] =
    /^s(\d{1,15})\/(.*)$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? []
  return offset === undefined
    ? Effect.fail(
        new InvalidRequest({ errors: [{ path: "query.cursor", message: "expected a nextCursor" }] })
      )
    : Effect.succeed({ offset: Number(offset), after })
}
