/**
 * A client that provisions workers, changes them and lets them go, in every way that there is, one request after
 * another: what it was told last of its workers is how they have to be. Each worker has an id of its own, so that
 * whatever the service keeps for an id is seen to go.
 */
import { WorkerId } from "@muster/core"
import { Effect, Random } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { Answer, Change } from "../torture/Knowledge.ts"
import { type Member, UnexpectedAnswer, type Way, ways } from "../torture/Requests.ts"
import type { Fleet } from "./Fleet.ts"
import { ask } from "./Http.ts"

export interface LaneOptions {
  readonly url: string
  /** Tells lanes apart. */
  readonly name: string
  /** How many workers it has at most. */
  readonly workers: number
  /** The longest pause after a request, in milliseconds. */
  readonly pause: number
}

/** How often a large batch has as many members as it can. */
const largeBatchChance = 0.2
/** How often one that is there is sent again, and of those, how often as it was. */
const againChance = 0.3
const sameChance = 0.3
/** How often a worker is looked at after a change. */
const lookChance = 0.2
/** How often an answer that says to come again is believed before it is a fault. */
const mostTries = 400
const comeAgainDelay = "100 millis"

export class Lane {
  private readonly client: HttpClient.HttpClient
  private readonly options: LaneOptions
  private readonly fleet: Fleet
  private readonly own: Array<WorkerId> = []
  private made = 0
  private revisions = 0
  private requests = 0

  constructor(client: HttpClient.HttpClient, options: LaneOptions, fleet: Fleet) {
    this.client = HttpClient.mapRequest(client, HttpClientRequest.prependUrl(options.url))
    this.options = options
    this.fleet = fleet
  }

  /** Until `isOver`; the request that is under way then is answered. */
  run(isOver: () => boolean): Effect.Effect<void> {
    const step = Effect.gen({ self: this }, function* () {
      const members = yield* this.drawMembers(yield* drawWay)
      if (members !== undefined) yield* this.perform(members.way, members.members, isOver)
      yield* Effect.sleep(yield* Random.nextBetween(0, this.options.pause))
    })
    return Effect.repeat(step, { until: isOver })
  }

  private readonly drawMembers = Effect.fnUntraced({ self: this }, function* (this: Lane, way: Way) {
    const isFull = this.own.length >= this.options.workers
    const names = way.changes.filter((name) => (name === "register" ? !isFull : this.own.length > 0))
    const name = names[yield* Random.nextIntBetween(0, Math.max(1, names.length) - 1)]
    if (name === undefined) return undefined
    const most = (yield* Random.next) < largeBatchChance ? way.most : Math.min(way.most, 4)
    const count = yield* Random.nextIntBetween(1, most)
    const request = ++this.requests
    const members = new Map<WorkerId, Member>()
    for (let index = 0; index < count; index++) {
      const isNew = name === "register" && (this.own.length === 0 || (yield* Random.next) >= againChance)
      if (isNew && this.own.length + members.size >= this.options.workers) break
      const id = isNew ? this.newId() : yield* this.drawOwn
      if (id === undefined) break
      const change = yield* this.drawChange(id, name, way)
      members.set(id, { id, change, key: `${this.options.name}/${request}/${index}` })
    }
    return members.size === 0 ? undefined : { way, members: Array.from(members.values()) }
  })

  private newId(): WorkerId {
    return WorkerId.make(`soak-${this.options.name}.${++this.made}`)
  }

  private readonly drawOwn = Effect.suspend(() =>
    Effect.map(Random.nextIntBetween(0, Math.max(1, this.own.length) - 1), (index) => this.own[index])
  )

  private readonly drawChange = Effect.fnUntraced(
    { self: this },
    function* (this: Lane, id: WorkerId, name: Change["name"], { isEvent }: Way): Effect.fn.Return<Change> {
      if (name !== "register") return name === "ready" ? { name } : { name, always: isEvent }
      const before = this.fleet.wanted.get(id)
      const isSame = before !== undefined && (yield* Random.next) < sameChance
      return { name, content: isSame ? before.revision : String(++this.revisions) }
    }
  )

  /** Sends the changes until each is acknowledged. */
  private readonly perform = Effect.fnUntraced(
    { self: this },
    function* (this: Lane, way: Way, members: ReadonlyArray<Member>, isOver: () => boolean) {
      let open = members
      for (let tries = 0; open.length > 0; tries++) {
        if (tries === mostTries) {
          return this.fleet.fault(`${way.name} was asked to come again ${mostTries} times`)
        }
        if (tries > 0) {
          this.fleet.counts.deferred++
          yield* Effect.sleep(comeAgainDelay)
        }
        const answers = yield* this.send(way, open)
        open = open.filter((member, index) => {
          const answer = answers[index]
          if (answer !== undefined) this.note(way, member, answer)
          return answer === undefined
        })
      }
      const [first] = members
      if (first !== undefined && !isOver() && (yield* Random.next) < lookChance) yield* this.look(first.id)
    }
  )

  private readonly send = Effect.fnUntraced(
    { self: this },
    function* (this: Lane, way: Way, members: ReadonlyArray<Member>) {
      const answers = new Array<Answer | undefined>(members.length)
      this.fleet.counts.requests++
      const tell = (index: number, answer: Answer) => {
        if (answer.name !== "none") answers[index] = answer
      }
      yield* Effect.catch(way.send(this.client, members, tell), (error) =>
        Effect.sync(() => {
          // The service is never stopped: a connection that ends without an answer is a fault as well.
          const what = error instanceof UnexpectedAnswer ? error.message : String(error)
          this.fleet.fault(`${way.name}: ${what}`)
        })
      )
      return answers
    }
  )

  private note(way: Way, { change, id }: Member, answer: Answer): void {
    const before = this.fleet.wanted.get(id)
    if (answer.name === "not found" || answer.name === "gone") {
      return this.fleet.fault(`${way.name}: ${id} was acknowledged, and is ${answer.name}`)
    }
    // The same request, come again: it was accepted although its answer said otherwise.
    if (answer.name !== "accepted") return this.fleet.fault(`${way.name}: ${id}: ${answer.name}`)
    const { generation } = answer
    if (before !== undefined && generation < before.generation) {
      this.fleet.fault(`${id} had generation ${before.generation}, and has ${generation}`)
    }
    switch (change.name) {
      case "register": {
        const isSame = before?.generation === generation
        if (before === undefined) this.own.push(id)
        if (!isSame) this.fleet.counts.registered++
        this.fleet.wanted.set(id, {
          revision: change.content,
          generation,
          saidReady: isSame && before.saidReady
        })
        break
      }
      case "ready":
        if (before !== undefined) this.fleet.wanted.set(id, { ...before, saidReady: true })
        break
      case "terminate":
        this.own.splice(this.own.indexOf(id), 1)
        this.fleet.wanted.delete(id)
        this.fleet.counts.terminated++
    }
  }

  /** What was acknowledged is what is read. */
  private readonly look = Effect.fnUntraced({ self: this }, function* (this: Lane, id: WorkerId) {
    const wanted = this.fleet.wanted.get(id)
    const answer = yield* Effect.result(ask(`${this.options.url}/v1/workers/${encodeURIComponent(id)}`))
    if (answer._tag === "Failure") return this.fleet.fault(answer.failure.message)
    const { status, text } = answer.success
    this.fleet.counts.reads++
    if (wanted === undefined) {
      if (status === 200 && !/"phase":"(unregistering|terminated)"/.test(text)) {
        this.fleet.fault(`${id} was terminated, and is: ${text.slice(0, 200)}`)
      }
    } else if (status !== 200 || !text.includes(`"generation":${wanted.generation},`)) {
      this.fleet.fault(`${id} has generation ${wanted.generation}, and is: ${status} ${text.slice(0, 200)}`)
    }
  })
}

const drawWay = Effect.map(Random.next, (value): Way => {
  let left = value * ways.reduce((sum, [, weight]) => sum + weight, 0)
  return (ways.find(([, weight]) => (left -= weight) < 0) ?? ways[0])[0]
})
