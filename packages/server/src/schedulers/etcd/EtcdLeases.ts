/**
 * The leases that keys are attached to. etcd deletes a key when its lease has ended. One lease serves many keys: etcd
 * writes down each renewal, so one for each worker would be a load by itself.
 */
import { Clock, Duration, Effect, Random, Schedule, type Scope, Semaphore } from "effect"
import { hash } from "node:crypto"
import { LeaseService } from "../generated/etcd/etcd.ts"
import type { GrpcStatus } from "../grpc/GrpcStatus.ts"
import type { EtcdCall } from "./EtcdClient.ts"
import { isLeaseMissing, isLeaseThere } from "./EtcdError.ts"

export interface EtcdLease {
  /** A lease that is there, as far as is known. 0: none. */
  readonly id: Effect.Effect<number, GrpcStatus>
  /** etcd says that it does not have this one. */
  readonly lost: (id: number) => Effect.Effect<void>
}

/** Keys that stay. */
export const noLease: EtcdLease = { id: Effect.succeed(0), lost: () => Effect.void }

/** Does something with a lease; once more, with another, where it turns out to be missing. */
export const withLease = <A>(
  lease: EtcdLease,
  use: (id: number) => Effect.Effect<A, GrpcStatus>
): Effect.Effect<A, GrpcStatus> => {
  const attempt = Effect.flatMap(lease.id, (id) =>
    Effect.tapError(use(id), (status) => (isLeaseMissing(status) ? lease.lost(id) : Effect.void))
  )
  return Effect.retry(attempt, { times: 1, while: isLeaseMissing })
}

/** As large as a JavaScript number holds without loss; etcd's own choices use 63 bits. */
const largestId = 2 ** 52

/**
 * A lease that ends by itself, for keys that need not stay for ever: each stays for `seconds` at least and twice as
 * long at most. It is replaced at half its time and never renewed, so that nothing is left to do when this process
 * ends.
 */
export const makePassingLease = Effect.fnUntraced(function* (call: EtcdCall, seconds: number) {
  const clock = yield* Clock.Clock
  const turn = Semaphore.makeUnsafe(1)
  let current: { readonly id: number; readonly until: number } | undefined

  const usable = () => {
    if (current !== undefined && clock.currentTimeMillisUnsafe() >= current.until) current = undefined
    return current
  }
  const granted = Effect.gen(function* () {
    const found = usable()
    if (found !== undefined) return found.id
    const id = yield* Random.nextIntBetween(1, largestId)
    const until = clock.currentTimeMillisUnsafe() + seconds * 1000
    yield* call(LeaseService.leaseGrant, { id, ttl: seconds * 2 })
    current = { id, until }
    return id
  })
  return {
    id: Effect.suspend(() => {
      const found = usable()
      return found === undefined ? turn.withPermits(1)(granted) : Effect.succeed(found.id)
    }),
    lost: (id) =>
      Effect.sync(() => {
        if (current?.id === id) current = undefined
      })
  } satisfies EtcdLease
})

/** Of the same prefix the same: after a restart the lease of before is found again. */
const idOf = (prefix: string): number =>
  1 + (Number.parseInt(hash("sha256", `muster worker lease ${prefix}`, "hex").slice(0, 13), 16) % largestId)

/**
 * The lease of all workers below a prefix: it is renewed at a third of its time, from now until the scope is closed.
 * Then it goes on by itself until it ends. One that has ended is granted anew; the workers have gone with it, and come
 * again when the list is compared with the fleet.
 */
export const makeKeptLease = Effect.fnUntraced(function* (
  call: EtcdCall,
  prefix: string,
  seconds: number
): Effect.fn.Return<EtcdLease, never, Scope.Scope> {
  const id = idOf(prefix)
  const turn = Semaphore.makeUnsafe(1)
  let isThere = false

  /** Another process may have granted it, or this one before a restart. */
  const granted = call(LeaseService.leaseGrant, { id, ttl: seconds }).pipe(
    Effect.andThen(Effect.logInfo(`etcd has a new lease of ${seconds} seconds for the workers of ${prefix}`)),
    Effect.catch((status) => (isLeaseThere(status) ? adopted : Effect.fail(status)))
  )
  const adopted = Effect.flatMap(call(LeaseService.leaseTimeToLive, { id }), ({ grantedTtl }) =>
    // 0: it has ended meanwhile, which the next one to use it finds out.
    grantedTtl === seconds || grantedTtl === 0
      ? Effect.void
      : Effect.logWarning(
          `The lease of the workers of ${prefix} was granted for ${grantedTtl} seconds; it stays so until it has ended`
        )
  )
  const ensured = Effect.suspend(() =>
    isThere
      ? Effect.void
      : Effect.andThen(
          granted,
          Effect.sync(() => {
            isThere = true
          })
        )
  )
  const ensure = turn.withPermits(1)(ensured)

  const renew = Effect.gen(function* () {
    yield* ensure
    const { ttl } = yield* call(LeaseService.leaseKeepAlive, { id })
    if (ttl > 0) return ttl
    yield* Effect.logWarning(`The lease of the workers of ${prefix} has ended, and they with it`)
    isThere = false
    yield* ensure
    return seconds
  })
  const interval = Duration.seconds(seconds / 3)
  let isFailing = false
  const warn = ({ message }: { readonly message: string }) => {
    if (isFailing) return Effect.void
    isFailing = true
    return Effect.logWarning(`The lease of the workers of ${prefix} could not be renewed: ${message}`)
  }
  const round = renew.pipe(
    Effect.timeout(Duration.times(interval, 1 / 2)),
    Effect.tapError(warn),
    Effect.retry(Schedule.spaced(Duration.times(interval, 1 / 4))),
    Effect.flatMap((ttl) => {
      isFailing = false
      // One that was found may be shorter.
      return Effect.sleep(Duration.min(interval, Duration.seconds(ttl / 3)))
    })
  )
  yield* Effect.forkScoped(Effect.forever(round))

  return {
    id: Effect.suspend(() => (isThere ? Effect.succeed(id) : Effect.as(ensure, id))),
    lost: () =>
      Effect.suspend(() => {
        if (!isThere) return Effect.void
        isThere = false
        return Effect.logWarning(`The lease of the workers of ${prefix} is missing, and they with it`)
      })
  }
})
