/**
 * What happens to a cluster in the torture test: to its servers, to PostgreSQL, and to the network between all of them.
 */
import { Duration, Effect, Option, Random } from "effect"
import type { TcpGate } from "../TcpGate.ts"
import type { Database } from "../torture/TortureStore.ts"
import type { TorturedServer } from "./TorturedServer.ts"
import { awaitWhole, chance, type Company, endure, expiry, sometime, type World } from "./World.ts"

type Misfortune = (world: World, name: string, company: Company) => Effect.Effect<void>

/** A server that is left in peace so far, if there is one. */
const drawServer = (world: World) =>
  Effect.gen(function* () {
    const free = world.servers.filter(({ trouble }) => trouble === undefined)
    if (free.length === 0) return undefined
    return free[yield* Random.nextIntBetween(0, free.length - 1)]
  })

const busyWithin = Duration.seconds(5)
const presentWithin = Duration.seconds(20)

/** A misfortune of one server that then cannot look after anything. */
const ofServer =
  (
    trouble: Exclude<TorturedServer["trouble"], undefined>,
    begin: (server: TorturedServer, world: World) => Effect.Effect<void>,
    end: (server: TorturedServer, world: World) => Effect.Effect<void>,
    last: (...args: Parameters<typeof endure>) => Effect.Effect<void> = endure
  ): Misfortune =>
  (world, name, company) =>
    Effect.gen(function* () {
      const server = yield* drawServer(world)
      if (server === undefined) return
      // There is nothing to take over from one that has just been started.
      if (company === "alone") yield* Effect.timeoutOption(world.watch.busy(server), busyWithin)
      server.trouble = trouble
      const held = world.watch.heldBy(server)
      world.record.say(`${name}: ${server.name} (${server.process.pid()}), which has ${held} partitions`)
      const since = Date.now()
      yield* begin(server, world)
      yield* last(world, name, held > 0 ? company : "with others", since)
      yield* end(server, world)
      server.trouble = undefined
      world.record.say(`${name}: ${server.name} (${server.process.pid()}) is over`)
    })

const start = ({ process }: TorturedServer) => process.start
const kill = ({ process }: TorturedServer) => process.kill
const pause = ({ process }: TorturedServer) => process.pause
const resume = ({ process }: TorturedServer) => process.resume
/** One that has not begun to listen for the signal cannot end in order. What it has for that is 30 s, and some. */
const terminate = (server: TorturedServer, { watch }: World) =>
  Effect.timeoutOption(watch.present(server), presentWithin).pipe(
    Effect.flatMap((there) =>
      Option.isSome(there) ? server.process.terminate(Duration.seconds(45)) : server.process.kill
    )
  )

const ofDatabase =
  (end: (database: Database) => Effect.Effect<void>): Misfortune =>
  (world, name) =>
    // One after another: it can neither be ended nor started twice.
    world.databaseTurn.withPermit(
      Effect.gen(function* () {
        world.record.say(name)
        yield* end(world.database).pipe(
          Effect.andThen(
            Effect.flatMap(chance(0.5), (isShort) => sometime(0, isShort ? 500 : 2 * expiry(world)))
          ),
          Effect.andThen(world.database.start),
          world.record.withoutDatabase
        )
        world.record.say(`${name} is over`)
      })
    )

/** Those of the ways between the servers that are concerned: all of one server, or the one between two. */
const drawWays = Effect.fnUntraced(function* ({ servers }: World) {
  const one = servers[yield* Random.nextIntBetween(0, servers.length - 1)]
  const isAlone = yield* chance(0.5)
  const others = servers.filter((server) => server !== one)
  const other = others[yield* Random.nextIntBetween(0, others.length - 1)]
  const met = isAlone ? others : others.filter((server) => server === other)
  const ways = met.flatMap((server) => [
    one?.toServers.get(server.name),
    server.toServers.get(one?.name ?? "")
  ])
  return {
    shown: `${one?.name} and ${met.map(({ name }) => name).join(", ")}`,
    ways: ways.filter((way) => way !== undefined)
  }
})

/** All servers still reach PostgreSQL: everything must go on being looked after. */
const betweenServers =
  (close: (way: TcpGate) => Effect.Effect<void>): Misfortune =>
  (world, name, company) =>
    Effect.gen(function* () {
      const { shown, ways } = yield* drawWays(world)
      world.record.say(`${name}: ${shown}`)
      yield* Effect.forEach(ways, close)
      yield* sometime(0, 2 * expiry(world))
      if (company === "alone") yield* awaitWhole(world, name, Date.now())
      yield* Effect.forEach(ways, ({ unblock }) => unblock)
      world.record.say(`${name}: ${shown} is over`)
    })

const cutOff = (close: (way: TcpGate) => Effect.Effect<void>): Misfortune => {
  const misfortune = ofServer(
    "cut off",
    ({ toDatabase }) => close(toDatabase),
    ({ toDatabase }) => toDatabase.unblock
  )
  return (world, ...rest) => world.record.withoutDatabase(misfortune(world, ...rest))
}

const block = ({ block }: TcpGate) => block
const swallow = ({ swallow }: TcpGate) => swallow
const cut = ({ cut }: TcpGate) => cut

export const misfortunes = {
  "server killed": ofServer("down", kill, start),
  "server killed while it starts": ofServer(
    "down",
    kill,
    (server) =>
      start(server).pipe(
        Effect.andThen(sometime(0, 2500)),
        Effect.andThen(kill(server)),
        Effect.andThen(start(server))
      ),
    () => sometime(0, 300)
  ),
  "server stopped for a moment": ofServer("stopped", pause, resume, (world) =>
    sometime(50, expiry(world) * 0.4)
  ),
  "server stopped for long": ofServer("stopped", pause, resume, (world, ...rest) =>
    Effect.andThen(Effect.sleep(world.lockExpiration), endure(world, ...rest))
  ),
  "server stopped, then killed": ofServer("stopped", pause, (server) =>
    Effect.andThen(kill(server), start(server))
  ),
  "server restarted in order": ofServer("down", terminate, start),
  "rolling restart": (world, name, company) =>
    Effect.forEach(
      world.servers.filter(({ trouble }) => trouble === undefined),
      (server) =>
        Effect.gen(function* () {
          server.trouble = "down"
          world.record.say(`${name}: ${server.name} (${server.process.pid()})`)
          yield* terminate(server, world)
          yield* start(server)
          server.trouble = undefined
          if (company === "alone") yield* awaitWhole(world, name, Date.now())
        }),
      { discard: true }
    ),
  "PostgreSQL killed": ofDatabase(({ kill }) => kill),
  "PostgreSQL restarted, immediate": ofDatabase(({ shutDown }) => shutDown("immediate")),
  "PostgreSQL restarted, fast": ofDatabase(({ shutDown }) => shutDown("fast")),
  "cut off from PostgreSQL": cutOff(cut),
  "cut off from PostgreSQL, bytes late": cutOff(block),
  "cut off from PostgreSQL, bytes lost": cutOff(swallow),
  "connections to PostgreSQL reset": (world, name) =>
    Effect.gen(function* () {
      const server = yield* drawServer(world)
      if (server === undefined) return
      world.record.say(`${name}: ${server.name}`)
      yield* world.record.withoutDatabase(server.toDatabase.reset)
    }),
  "servers cut off from each other": betweenServers(cut),
  "servers cut off from each other, bytes late": betweenServers(block),
  "servers cut off from each other, bytes lost": betweenServers(swallow)
} satisfies Record<string, Misfortune>

export type MisfortuneName = keyof typeof misfortunes

const isName = (name: string): name is MisfortuneName => Object.hasOwn(misfortunes, name)
export const misfortuneNames: ReadonlyArray<MisfortuneName> = Object.keys(misfortunes).filter(isName)
