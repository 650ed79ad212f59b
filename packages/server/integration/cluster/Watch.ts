/**
 * Whoever looks at the cluster all the time, through every server that answers: which server looks after which
 * partition, whether two ever claim the same one, and since when every partition is looked after.
 */
import { Duration, Effect } from "effect"
import { claims, type ClusterPicture, contradictionsIn, takePicture } from "./ClusterPicture.ts"
import type { TorturedServer } from "./TorturedServer.ts"

const lookInterval = Duration.millis(150)
const waitInterval = Duration.millis(20)
/** Answers of one server that are kept: for longer than it is ever stopped. */
const answersKept = 400
const faultsKept = 50

interface Answer {
  readonly pid: number | undefined
  readonly sentAt: number
  readonly receivedAt: number
  /** What the server claims for itself. */
  readonly own: ReadonlyArray<number>
}

export class Watch {
  /** For people. */
  readonly faults: Array<string> = []
  /** How many answers there were, and in how many of them every partition was looked after. */
  answers = 0
  wholeAnswers = 0
  private readonly servers: ReadonlyArray<TorturedServer>
  private readonly answersOf = new Map<string, Array<Answer>>()
  /** Which process has an id, by its own word. */
  private readonly processes = new Map<string, { readonly server: TorturedServer; readonly pid: number }>()
  private lastWhole = { sentAt: 0, receivedAt: 0 }
  private last: ClusterPicture | undefined

  constructor(servers: ReadonlyArray<TorturedServer>) {
    this.servers = servers
  }

  /** Looks until it is interrupted. */
  get run() {
    const look = (server: TorturedServer) =>
      Effect.gen({ self: this }, function* () {
        const pid = server.process.pid()
        const sentAt = Date.now()
        const picture = yield* takePicture(server.url)
        // Another process may have answered, or none that one could name.
        if (pid !== undefined && pid === server.process.pid()) this.note(server, pid, sentAt, picture)
      }).pipe(Effect.ignore, Effect.andThen(Effect.sleep(lookInterval)), Effect.forever)
    return Effect.forEach(this.servers, look, { concurrency: "unbounded", discard: true })
  }

  /** Waits until a server that was asked after `since` says that all is looked after; the milliseconds until then. */
  wholeAfter(since: number): Effect.Effect<number> {
    return Effect.sleep(waitInterval).pipe(
      Effect.repeat({ until: () => this.lastWhole.sentAt >= since }),
      Effect.andThen(Effect.sync(() => this.lastWhole.receivedAt - since))
    )
  }

  /** How many partitions a server looked after when it answered last. */
  heldBy({ name, process }: TorturedServer): number {
    const last = this.answersOf.get(name)?.at(-1)
    return last?.pid === process.pid() ? (last?.own.length ?? 0) : 0
  }

  /** Waits until a server has answered, since it was started last. */
  present({ name, process }: TorturedServer): Effect.Effect<void> {
    const hasAnswered = () => {
      const last = this.answersOf.get(name)?.at(-1)
      return last !== undefined && last.pid === process.pid()
    }
    return Effect.asVoid(Effect.repeat(Effect.sleep(waitInterval), { until: hasAnswered }))
  }

  /** Waits until a server looks after something. */
  busy(server: TorturedServer): Effect.Effect<void> {
    return Effect.asVoid(Effect.repeat(Effect.sleep(waitInterval), { until: () => this.heldBy(server) > 0 }))
  }

  /** Waits until every server does. */
  get spread(): Effect.Effect<void> {
    return Effect.forEach(this.servers, (server) => this.busy(server), { discard: true })
  }

  /** The last answer, for people. */
  get lastSeen(): string {
    if (this.last === undefined) return "no server has answered"
    const when = this.servers.map(
      ({ name }) => `${name} at ${this.answersOf.get(name)?.at(-1)?.receivedAt ?? "no time"}`
    )
    const { servers, unowned } = this.last
    const shown = servers.map(({ id, partitions, state }) => {
      const name = this.processes.get(id)?.server.name ?? id
      return `${name} ${state} [${partitions.join(" ")}]`
    })
    return `${[...shown, `nobody [${unowned.join(" ")}]`].join(", ")}; answered last: ${when.join(", ")}`
  }

  private note(server: TorturedServer, pid: number, sentAt: number, picture: ClusterPicture): void {
    const receivedAt = Date.now()
    const self = picture.servers.find(({ isThis }) => isThis)
    if (self !== undefined) this.processes.set(self.id, { server, pid })
    this.answers++
    this.last = picture
    for (const contradiction of contradictionsIn(picture)) {
      this.blame(`${server.name} answered at ${receivedAt}: ${contradiction}`)
    }
    if (this.isWhole(picture)) {
      this.wholeAnswers++
      if (sentAt > this.lastWhole.sentAt) this.lastWhole = { sentAt, receivedAt }
    }
    this.compare(server, { pid, sentAt, receivedAt, own: self?.partitions ?? [] })
  }

  /** Every partition is looked after by one server that lives and that the test leaves in peace. */
  private isWhole(picture: ClusterPicture): boolean {
    const isFit = ({ id }: ClusterPicture["servers"][number]) => {
      const known = this.processes.get(id)
      return (
        known !== undefined && known.pid === known.server.process.pid() && known.server.trouble === undefined
      )
    }
    return (
      picture.unowned.length === 0 &&
      claims(picture).every((count) => count === 1) &&
      picture.servers.every(
        (server) =>
          server.state === "lost" ||
          server.partitions.length === 0 ||
          (server.state === "up" && isFit(server))
      )
    )
  }

  /**
   * Whoever claims a partition in one answer and in the next has had it all the time. So nobody else can claim it in
   * between.
   */
  private compare(server: TorturedServer, answer: Answer): void {
    let answers = this.answersOf.get(server.name)
    if (answers === undefined) this.answersOf.set(server.name, (answers = []))
    const before = answers.at(-1)
    answers.push(answer)
    if (answers.length > answersKept) answers.shift()
    if (before === undefined || before.pid !== answer.pid) return
    const kept = common(answer.own, before.own)
    for (const other of this.servers) {
      for (const { own, receivedAt, sentAt } of other === server
        ? []
        : (this.answersOf.get(other.name) ?? [])) {
        if (sentAt <= before.receivedAt || receivedAt >= answer.sentAt) continue
        const both = common(kept, own)
        if (both.length === 0) continue
        this.blame(
          `${server.name} claimed ${shown(both)} at ${before.receivedAt} and at ${answer.sentAt}, ${other.name} between ${sentAt} and ${receivedAt}`
        )
      }
    }
  }

  private blame(what: string): void {
    if (this.faults.length < faultsKept) this.faults.push(what)
  }
}

const common = (one: ReadonlyArray<number>, other: ReadonlyArray<number>) =>
  one.filter((partition) => other.includes(partition))

const shown = (partitions: ReadonlyArray<number>): string => `partitions ${partitions.join(" ")}`
