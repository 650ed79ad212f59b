/**
 * Workers with a lease: some send heartbeats for as long as the test lasts, and must not expire; others fall silent,
 * and must.
 */
import { WorkerId } from "@muster/core"
import { Clock, Duration, Effect, Random, Schema } from "effect"
import { workerOf } from "../torture/Content.ts"
import type { Fleet } from "./Fleet.ts"
import { ask } from "./Http.ts"

const faithful = 20
const leaseTtl = Duration.seconds(30)
const betweenHeartbeats = "4 seconds"
/** How often one more falls silent. */
const betweenSilences = "2 seconds"
const mostTries = 100

const Registered = Schema.fromJsonString(Schema.Struct({ generation: Schema.Int }))
const decode = Schema.decodeUnknownEffect(Registered)

export const runLeases = (url: string, fleet: Fleet, isOver: () => boolean): Effect.Effect<void> => {
  const register = Effect.fnUntraced(function* (name: string, revision: number) {
    const id = WorkerId.make(`soak-${name}`)
    const body = JSON.stringify({
      ...workerOf(id, revision),
      leaseTtl: `${Duration.toSeconds(leaseTtl)} seconds`
    })
    const post = ask(`${url}/v1/workers`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" }
    })
    for (let tries = 0; tries < mostTries; tries++) {
      const { status, text } = yield* post
      if (status === 202) return { id, generation: (yield* decode(text)).generation }
      if (status !== 503) break
      fleet.counts.deferred++
      yield* Effect.sleep("100 millis")
    }
    return undefined
  })

  /** One that is faithful: it expires only where its heartbeats are late, and then begins anew. */
  const live = Effect.fnUntraced(function* (index: number) {
    let renewedAt: number | undefined
    // On, also while all else is over, until it is interrupted.
    while (true) {
      if (renewedAt === undefined) {
        const registered = yield* register(`faithful.${index}`, index)
        if (registered === undefined) return fleet.fault("a worker with a lease was not accepted")
        const { generation, id } = registered
        fleet.wanted.set(id, { revision: String(index), generation, saidReady: false })
        fleet.counts.registered++
        renewedAt = yield* Clock.currentTimeMillis
      }
      yield* Effect.sleep(betweenHeartbeats)
      // As a machine would: a connection that was kept may be closed at the moment in which it is used again.
      const { status, text } = yield* Effect.retry(
        ask(`${url}/v1/workers/soak-faithful.${index}/heartbeat`, { method: "POST" }),
        { times: 1 }
      )
      const now = yield* Clock.currentTimeMillis
      fleet.counts.heartbeats++
      const isLate = now - renewedAt > Duration.toMillis(leaseTtl)
      if (status === 200) renewedAt = now
      else if (isLate && (status === 409 || status === 404)) renewedAt = undefined
      else if (status !== 503)
        fleet.fault(`the heartbeat of faithful.${index}: ${status} ${text.slice(0, 200)}`)
    }
  })

  const die = Effect.gen(function* () {
    for (let index = 0; !isOver(); index++) {
      const registered = yield* register(`silent.${index}`, yield* Random.nextIntBetween(0, 1000))
      if (registered !== undefined) {
        fleet.silent.add(registered.id)
        fleet.counts.silenced++
      }
      yield* Effect.sleep(betweenSilences)
    }
  })

  const told = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.catch(Effect.asVoid(effect), (error) => Effect.sync(() => fleet.fault(`leases: ${String(error)}`)))
  return Effect.all([...Array.from({ length: faithful }, (_, index) => told(live(index))), told(die)], {
    concurrency: "unbounded",
    discard: true
  })
}
