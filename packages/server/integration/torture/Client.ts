/**
 * The client of the torture test: several connections, each with workers of its own, send one change of a worker at a
 * time, in every way that there is, and write down what was acknowledged.
 */
import { WorkerId } from "@muster/core"
import { Clock, Effect, Predicate, Random, Schedule } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { isDeepStrictEqual } from "node:util"
import { type Answer, type Change, Knowledge } from "./Knowledge.ts"
import type { Ledger } from "./Ledger.ts"
import { type Member, UnexpectedAnswer, type Way, ways } from "./Requests.ts"

export interface ClientOptions {
  readonly seed: string
  /** Where the next request goes. */
  readonly url: Effect.Effect<string>
  readonly workers: number
  readonly connections: number
  /** The longest pause after a request, in milliseconds. */
  readonly pause: number
}

/** How often a request whose answer was lost is sent again, where the service would recognise it. */
const repeatChance = 0.7
/** How often a request that was answered long ago is sent once more, instead of a new one. */
const echoChance = 0.05
const echoesKept = 50
/** How often the same workers are taken as a moment ago. */
const favouriteChance = 0.4
const favourites = 5
/** How often a worker is sent as it was sent before. */
const sameChance = 0.15
/** How often a batch is large. */
const batchChance = 0.8
const reconnectDelay = "20 millis"

/** Sends changes until `isOver`; what is under way then is sent to its end. */
export const runClient = (
  options: ClientOptions,
  ledger: Ledger,
  isOver: () => boolean
): Effect.Effect<void, never, HttpClient.HttpClient> =>
  Effect.forEach(
    Array.from({ length: options.connections }, (_, lane) => lane),
    (lane) =>
      Effect.flatMap(HttpClient.HttpClient, (client) =>
        new Connection(client, options, ledger, lane)
          .run(isOver)
          .pipe(Random.withSeed(`${options.seed} client ${lane}`))
      ),
    { concurrency: "unbounded", discard: true }
  )

class Connection {
  private readonly client: HttpClient.HttpClient
  private readonly url: Effect.Effect<string>
  private readonly ledger: Ledger
  private readonly lane: number
  private readonly workers: number
  private readonly pause: number
  private readonly sent = new Map<WorkerId, string>()
  private readonly accepted: Array<{ readonly way: Way; readonly member: Member; readonly answer: Answer }> =
    []
  private requests = 0
  private revisions = 0

  constructor(client: HttpClient.HttpClient, options: ClientOptions, ledger: Ledger, lane: number) {
    this.client = client
    this.url = options.url
    this.ledger = ledger
    this.lane = lane
    this.workers = Math.ceil(options.workers / options.connections)
    this.pause = options.pause
  }

  run(isOver: () => boolean): Effect.Effect<void> {
    const change = Effect.gen({ self: this }, function* () {
      const way = yield* drawWay
      const most = (yield* Random.next) < batchChance ? way.most : 1
      const count = yield* Random.nextIntBetween(1, most)
      const name = `${this.lane}/${++this.requests} ${way.name}`
      const members = yield* Effect.forEach(Array.from({ length: count }), (_, index) =>
        this.drawMember(way, `${this.lane}/${this.requests}/${index}`)
      )
      yield* this.perform(name, way, members)
    })
    const step = Effect.gen({ self: this }, function* () {
      yield* (yield* Random.next) < echoChance ? this.echo : change
      yield* Effect.sleep(yield* Random.nextBetween(0, this.pause))
    })
    return Effect.repeat(step, { until: isOver })
  }

  private readonly drawMember = Effect.fnUntraced(
    { self: this },
    function* (this: Connection, way: Way, key: string) {
      const isFavourite = (yield* Random.next) < favouriteChance
      const place = yield* Random.nextIntBetween(0, (isFavourite ? favourites : this.workers) - 1)
      const id = WorkerId.make(`torture-${this.lane}.${place}`)
      const name = way.changes[yield* Random.nextIntBetween(0, way.changes.length - 1)] ?? "register"
      return { id, key, change: yield* this.drawChange(id, name, way) }
    }
  )

  private readonly drawChange = Effect.fnUntraced(
    { self: this },
    function* (
      this: Connection,
      id: WorkerId,
      name: Change["name"],
      { isEvent }: Way
    ): Effect.fn.Return<Change> {
      switch (name) {
        case "ready":
          return { name }
        case "terminate":
          return { name, always: isEvent }
        case "register": {
          const before = this.sent.get(id)
          const isSame = before !== undefined && (yield* Random.next) < sameChance
          const content = isSame ? before : String(++this.revisions)
          this.sent.set(id, content)
          return { name, content }
        }
      }
    }
  )

  /** Sends changes, again where the service can tell that, and writes down what is known afterwards. */
  private readonly perform = Effect.fnUntraced(
    { self: this },
    function* (this: Connection, request: string, way: Way, members: ReadonlyArray<Member>) {
      const [first] = members
      const before = first === undefined ? Knowledge.none : this.ledger.knowledge(first.id)
      let answers = yield* this.send(way, members)
      for (const [index, { change, id }] of members.entries()) {
        yield* this.note(request, id, this.ledger.knowledge(id), change, answers[index])
      }
      if (first === undefined || members.length > 1 || !way.isRepeatable) return
      this.keep(way, first, answers[0])
      while (answers[0] === undefined && (yield* Random.next) < repeatChance) {
        answers = yield* this.send(way, members)
        // Of two requests that are one, either answer says what became of it.
        yield* this.note(`${request} again`, first.id, before, first.change, answers[0])
        this.keep(way, first, answers[0])
      }
    }
  )

  private keep(way: Way, member: Member, answer: Answer | undefined): void {
    if (answer?.name !== "accepted" && answer?.name !== "repeated") return
    this.accepted.push({ way, member, answer })
    if (this.accepted.length > echoesKept) this.accepted.shift()
  }

  /** A request that was accepted once comes again, whatever became of its worker meanwhile: it changes nothing. */
  private readonly echo: Effect.Effect<void> = Effect.gen({ self: this }, function* (this: Connection) {
    const place = yield* Random.nextIntBetween(0, Math.max(1, this.accepted.length) - 1)
    const kept = this.accepted[place]
    if (kept === undefined) return
    const [answer] = yield* this.send(kept.way, [kept.member])
    if (answer === undefined) return
    this.ledger.counts.echoes++
    if (answer.name === "repeated" || isDeepStrictEqual(answer, kept.answer)) return
    const { change, id, key } = kept.member
    this.ledger.unexpected.push(
      `${kept.way.name} ${key} of ${id}, ${JSON.stringify(change)}, was answered ${JSON.stringify(kept.answer)}, and when it came again ${JSON.stringify(answer)}`
    )
  })

  private note(
    request: string,
    id: WorkerId,
    before: Knowledge,
    change: Change,
    answer: Answer = { name: "none" }
  ): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (at) =>
      this.ledger.note(id, before, { at, request, change, answer })
    )
  }

  /** The answers that came. As long as nobody listens, it is tried again. */
  private send(way: Way, members: ReadonlyArray<Member>): Effect.Effect<ReadonlyArray<Answer | undefined>> {
    return Effect.suspend(() => {
      const answers = new Array<Answer | undefined>(members.length)
      const tell = (index: number, answer: Answer) => {
        if (answer.name !== "none") answers[index] = answer
      }
      this.ledger.counts.requests++
      return this.url.pipe(
        Effect.flatMap((url) =>
          way.send(HttpClient.mapRequest(this.client, HttpClientRequest.prependUrl(url)), members, tell)
        ),
        Effect.retry({ while: isRefusedConnection, schedule: Schedule.spaced(reconnectDelay) }),
        Effect.catch((error) =>
          Effect.sync(() => {
            if (error instanceof UnexpectedAnswer)
              this.ledger.unexpected.push(`${way.name}: ${error.message}`)
          })
        ),
        Effect.as(answers)
      )
    })
  }
}

const drawWay = Effect.map(Random.next, (value): Way => {
  let left = value * ways.reduce((sum, [, weight]) => sum + weight, 0)
  return (ways.find(([, weight]) => (left -= weight) < 0) ?? ways[0])[0]
})

/** Nobody listened: the request was not sent. */
const isRefusedConnection = (error: unknown): boolean =>
  Predicate.hasProperty(error, "code") && error.code === "ECONNREFUSED"
    ? true
    : Predicate.hasProperty(error, "cause")
      ? isRefusedConnection(error.cause)
      : Predicate.hasProperty(error, "reason") && isRefusedConnection(error.reason)
