/**
 * This server as one of a cluster: it says every second that it lives, looks after the partitions that it is given, and
 * hands them over before it ends.
 */
import { MetricFamily, SchedulerShare } from "@muster/core"
import { FleetSharing, type News, partitions, StoreUnavailable } from "@muster/core/fleet"
import {
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  PubSub,
  type Redacted,
  Schedule,
  Scope,
  Semaphore,
  Stream
} from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqlError from "effect/sql/SqlError"
import { randomUUID } from "node:crypto"
import { CannotListen } from "../http/CannotListen.ts"
import { CannotOpenStore } from "../store/CannotOpenStore.ts"
import { describePostgresError, isPassing } from "../store/PostgresErrors.ts"
import { connectPostgres } from "../store/PostgresStore.ts"
import { parsePostgresUrl } from "../store/PostgresUrl.ts"
import { version } from "../version.ts"
import { ClusterMember } from "./ClusterMember.ts"
import { Cluster, type ClusterServer, type ClusterView } from "./Cluster.ts"
import type { ClusterSettings } from "./ClusterSettings.ts"
import { partitionsHeld, serversSeen } from "./ClusterMetrics.ts"
import { Holdings } from "./Holdings.ts"
import { type Confirmation, type KnownServer, type KnownServers, Membership } from "./Membership.ts"
import { Notices } from "./Notices.ts"
import { engineLayer, placePartitions } from "./Placement.ts"

const beatInterval = Duration.seconds(1)
const tidyInterval = Duration.minutes(1)
/** Partitions come and go one by one; they are told of together. */
const tellPause = Duration.seconds(1)
const claimPause = Duration.millis(250)
const joinPause = Duration.seconds(1)
/** One for beats and claims, one for the engine's locks, one to listen, and one to spare. */
const connections = 4

/** The server in the cluster, and what the fleet has to know of it. `store`: a `postgres://` URL. */
export const clusteredServerLayer = (settings: ClusterSettings, store: Redacted.Redacted) =>
  Layer.effectContext(makeServer(settings, store))

const makeServer = Effect.fnUntraced(function* (
  settings: ClusterSettings,
  store: Redacted.Redacted
): Effect.fn.Return<Context.Context<ClusterMember | Cluster>, CannotOpenStore, Scope.Scope> {
  const { host, lockExpiration, port } = settings
  const { name, withoutPassword } = yield* parsePostgresUrl(store)
  const describe = (error: SqlError.SqlError) => withoutPassword(describePostgresError(error))
  const third = Duration.times(lockExpiration, 1 / 3)
  const sql = yield* Effect.mapError(connectPostgres(store, { timeout: third, connections }), (error) =>
    CannotOpenStore.because(name, describe(error))
  )
  const id = randomUUID()
  const address = `${host}:${port}`
  const clock = yield* Clock.Clock
  const news = yield* PubSub.unbounded<News>()
  const holdings = new Holdings(clock, lockExpiration, news)
  const membership = new Membership(sql, lockExpiration)
  const notices = new Notices(sql, id)
  const scope = yield* Effect.scope
  /** Of what this server does as a member. */
  let memberScope: Scope.Closeable | undefined

  yield* MetricFamily.observe(partitionsHeld.at({}), () => holdings.size)
  yield* MetricFamily.observe(serversSeen.at({}), () => holdings.servers)

  /** The partitions that the engine has placed here, from before the claim until after the release. */
  const placed = new Set<number>()

  /** A claim of which the answer was lost, or a release that the store did not hear of: nobody else could claim it. */
  const releaseLeftOver = (wasPlaced: ReadonlySet<number>, { held }: Confirmation) =>
    Effect.forEach(
      Array.from(held).filter(([partition]) => !wasPlaced.has(partition) && !placed.has(partition)),
      ([partition, epoch]) => membership.release(id, partition, epoch),
      { discard: true }
    )

  const makeBeat = (url: string, isFailing: Effect.Effect<boolean>) =>
    Effect.flatMap(isFailing, (isFailing) => {
      const begun = holdings.begin(isFailing)
      const wasPlaced = new Set(placed)
      return Effect.flatMap(membership.beat({ id, address, url, version }, isFailing), (confirmation) => {
        holdings.confirm(begun, confirmation)
        return releaseLeftOver(wasPlaced, confirmation)
      })
    })

  const beats = (beat: ReturnType<typeof makeBeat>) =>
    Effect.timeout(beat, third).pipe(
      // Without one, it is less and less certain.
      Effect.ignoreCause,
      Effect.repeat(Schedule.fixed(beatInterval))
    )

  // So few at a time that beats need not wait for them.
  const claims = yield* Semaphore.make(2)
  const claim = (partition: number) =>
    claims
      .withPermit(Effect.timeoutOption(membership.claim(id, partition), third))
      .pipe(Effect.orElseSucceed(() => undefined))

  const lookAfter = (partition: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      placed.add(partition)
      while (true) {
        const claimed = yield* claim(partition)
        const epoch = claimed?._tag === "Some" ? claimed.value : undefined
        if (epoch === undefined) {
          yield* Effect.sleep(claimPause)
          continue
        }
        yield* Effect.ensuring(
          Effect.suspend(() => {
            holdings.add(partition, epoch)
            return holdings.lost(partition)
          }),
          handOver(partition, epoch)
        )
      }
    }).pipe(Effect.ensuring(Effect.sync(() => placed.delete(partition))))

  const handOver = (partition: number, epoch: number) =>
    Effect.andThen(
      holdings.giveAway(partition, third),
      Effect.ignore(Effect.timeoutOption(membership.release(id, partition, epoch), third))
    )

  const tellHoldings = Stream.fromPubSub(news).pipe(
    Stream.filter(({ _tag }) => _tag === "Held"),
    Stream.debounce(tellPause),
    Stream.map(() => holdings.size),
    Stream.changes,
    Stream.runForEach((size) => Effect.logInfo(`Looks after ${size} of ${partitions} partitions`))
  )

  const enter = Effect.fnUntraced(function* (url: string, isFailing: Effect.Effect<boolean>) {
    const own = yield* Scope.fork(scope)
    memberScope = own
    const beat = makeBeat(url, isFailing)
    yield* beat
    const parts = [
      beats(beat),
      holdings.watch,
      tellHoldings,
      notices.send(() => holdings.servers > 1),
      notices.receive((told) => holdings.tell(told)),
      Effect.repeat(Effect.ignore(membership.tidy), Schedule.spaced(tidyInterval))
    ]
    yield* Effect.forEach(parts, (part) => Effect.forkIn(part, own), { discard: true })
    // What came last ends first: the partitions, then the engine, and then what says that this server lives.
    const engine = yield* Layer.buildWithScope(
      engineLayer(settings, (address) => membership.isAlive(address)),
      own
    ).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      Effect.catchTag("SocketServerError", ({ cause }) =>
        Effect.fail(CannotListen.forCluster(address, cause))
      ),
      // The engine's word for a database that is not there.
      Effect.catchDefect((defect) => (SqlError.isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect)))
    )
    // They are left all at once: one after the other, each would wait for the calls that are under way for it.
    const placement = yield* Scope.fork(own, "parallel")
    yield* placePartitions(lookAfter).pipe(Effect.provideContext(engine), Scope.provide(placement))
    yield* Effect.logInfo(`In the cluster as ${address}`).pipe(Effect.annotateLogs({ server: id }))
  })

  /** Ends what this server does as a member; its partitions first, which it hands over. */
  const retire = Effect.suspend(() =>
    memberScope === undefined ? Effect.void : Scope.close(memberScope, Exit.void)
  )

  const leave = Effect.gen(function* () {
    yield* Effect.ignore(Effect.timeoutOption(membership.stopping(id), third))
    yield* retire
    yield* Effect.ignore(Effect.timeoutOption(membership.leave(id), third))
  })

  const join = (listeningUrl: string, isFailing: Effect.Effect<boolean>) =>
    enter(reachable(listeningUrl, host), isFailing).pipe(
      Effect.tapError(() => retire),
      // The store was there when it was opened: where it is away, this waits as everything else does.
      Effect.retry({
        schedule: Schedule.spaced(joinPause),
        while: (error) => error._tag === "SqlError" && isPassing(error)
      }),
      // One that has not got in must not be taken for one that was lost.
      Effect.tapError(() => leave),
      Effect.mapError((error) =>
        error._tag === "SqlError" ? CannotOpenStore.because(name, describe(error)) : error
      )
    )

  const view = Effect.map(membership.servers, (known) => toView(known, id, lockExpiration)).pipe(
    Effect.mapError(
      (error) => new StoreUnavailable({ message: `${name} cannot be read: ${describe(error)}`, cause: error })
    ),
    Effect.withTracerEnabled(false)
  )

  return Context.make(ClusterMember, { join, leave }).pipe(
    Context.add(Cluster, { view }),
    Context.add(FleetSharing, holdings.sharing(notices.tell)),
    Context.add(SchedulerShare, holdings.share)
  )
})

/** On every address of the machine a server listens for others, too; they need one of them. */
const reachable = (url: string, host: string): string => {
  const reached = new URL(url)
  if (reached.hostname === "0.0.0.0" || reached.hostname === "[::]") reached.hostname = host
  return reached.origin
}

/** Not heard of for so long, a server is shown as silent. */
const silentAfter = Duration.toMillis("5 seconds")

const toView = (
  { now, servers, unheld }: KnownServers,
  id: string,
  expiration: Duration.Duration
): ClusterView => {
  const lostAfter = Duration.toMillis(expiration)
  const isLost = ({ seenAt }: KnownServer) => now - seenAt >= lostAfter
  return {
    clustered: true,
    servers: servers.map((server): ClusterServer => ({
      id: server.id,
      address: server.address,
      url: server.url,
      version: server.version,
      startedAt: server.startedAt,
      seenAt: server.seenAt,
      state: isLost(server)
        ? "lost"
        : server.isStopping
          ? "stopping"
          : now - server.seenAt >= silentAfter
            ? "silent"
            : "up",
      isThis: server.id === id,
      partitions: server.partitions
    })),
    unowned: [...unheld, ...servers.flatMap((server) => (isLost(server) ? server.partitions : []))].toSorted(
      (left, right) => left - right
    )
  }
}
