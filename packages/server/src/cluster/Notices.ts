/**
 * How the servers tell one another which workers they have changed: by PostgreSQL's own notices, one for all changes of
 * a few milliseconds. Whatever gets lost is found by looking, every second.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import { WorkerId } from "@muster/core"
import type { News } from "@muster/core/fleet"
import { Duration, Effect, Latch, Option, Queue, Schema } from "effect"
import type * as SqlError from "effect/sql/SqlError"

/** Changes that come so soon after one another are told together. */
const gather = Duration.millis(5)

/** PostgreSQL takes less than 8000 bytes in a notice. */
const longest = 7500

const Notice = Schema.fromJsonString(
  Schema.Struct({
    from: Schema.String,
    /** Absent: too many to name. */
    workers: Schema.optionalKey(Schema.Array(WorkerId))
  })
)

const decode = Schema.decodeUnknownOption(Notice)
const encode = Schema.encodeSync(Notice)

const changed = (workerIds: ReadonlyArray<WorkerId> | undefined): News => ({ _tag: "Changed", workerIds })

export class Notices {
  private readonly client: PgClient.PgClient
  private readonly from: string
  private untold = new Set<WorkerId>()
  private readonly work = Latch.makeUnsafe(false)
  private channelName: string | undefined

  /** `from`: the id of this server. */
  constructor(client: PgClient.PgClient, from: string) {
    this.client = client
    this.from = from
  }

  /** Tells the others soon. */
  readonly tell = (workerIds: ReadonlyArray<WorkerId>): void => {
    for (const id of workerIds) this.untold.add(id)
    this.work.openUnsafe()
  }

  /** Tells for ever; `hasCompany`: whether there is anybody to tell. */
  send(hasCompany: () => boolean): Effect.Effect<never> {
    const tellAll = Effect.suspend(() => {
      const workers = Array.from(this.untold)
      this.untold = new Set()
      this.work.closeUnsafe()
      if (!hasCompany()) return Effect.void
      const named = encode({ from: this.from, workers })
      const payload = Buffer.byteLength(named) <= longest ? named : encode({ from: this.from })
      return Effect.flatMap(this.channel, (channel) => this.client.notify(channel, payload))
    })
    return this.work.await.pipe(
      Effect.andThen(Effect.sleep(gather)),
      // They look for themselves, too.
      Effect.andThen(Effect.ignore(tellAll)),
      Effect.forever
    )
  }

  /** Hears for ever what the others tell. */
  receive(hear: (news: News) => void): Effect.Effect<never> {
    const listen = Effect.scoped(
      Effect.gen({ self: this }, function* () {
        const notices = yield* this.client.listen(yield* this.channel)
        // Nothing was heard while nobody listened.
        hear(changed(undefined))
        return yield* Effect.forever(
          Effect.map(Queue.take(notices), ({ payload }) => {
            const notice = Option.getOrUndefined(decode(payload))
            if (notice?.from !== this.from) hear(changed(notice?.workers))
          })
        )
      })
    )
    return Effect.forever(Effect.andThen(Effect.ignore(listen), Effect.sleep("500 millis")))
  }

  /** Of these tables and no others in the database; asked for once. */
  private get channel(): Effect.Effect<string, SqlError.SqlError> {
    return Effect.suspend(() => {
      if (this.channelName !== undefined) return Effect.succeed(this.channelName)
      const found = this.client<{
        channel: string
      }>`SELECT 'muster_' || 'muster_state'::regclass::oid AS channel`
      return Effect.map(found, ([row]) => (this.channelName = row?.channel ?? "muster"))
    })
  }
}
