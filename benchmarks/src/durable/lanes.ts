/** Who takes part, each in processes of its own, and what some rounds of theirs came to. */
import { join } from "node:path"
import { type Summary, summarize } from "../statistics.ts"
import type { CallerCommand, CallerKind } from "./callerProcess.ts"
import type { Measured } from "./callers.ts"
import { Muster } from "./muster.ts"
import { Caller, freePort, type PortedProgram, startServer } from "./processes.ts"
import type { Store } from "./stores.ts"

/** What a contestant is compared as; the letters are those of docs/benchmarks.md. */
type Role = "muster" | "accepting" | "bare" | "ceiling" | "a" | "b" | "c" | "d"

export interface Lane {
  readonly name: string
  readonly role: Role
  readonly do: (command: CallerCommand) => Promise<Measured>
  /** Waits until what was handed over is worked on, so that it is not in the way of the next. */
  readonly settle: () => Promise<void>
}

/** Starts contestants; what they need is disposed of with `stack`. */
export class Lanes {
  private readonly stack: AsyncDisposableStack

  constructor(stack: AsyncDisposableStack) {
    this.stack = stack
  }

  async muster(store: Store): Promise<Lane> {
    const muster = this.stack.use(await Muster.start(await store.make()))
    const caller = this.stack.use(await Caller.start("workers", muster.port))
    let accepted = 0
    return {
      name: store.name,
      role: "muster",
      do: async (command) => {
        const measured = await caller.do(command)
        accepted += measured.count
        return measured
      },
      settle: () => muster.registered(accepted)
    }
  }

  /** A service whose scheduler is away: it accepts, as the peers do, and nothing else. */
  async accepting(store: Store): Promise<Lane> {
    const muster = this.stack.use(
      await Muster.start(await store.make(), {
        env: { MUSTER_SCHEDULER: `grpc://127.0.0.1:${await freePort()}`, MUSTER_MAX_UNFINISHED: "10000000" }
      })
    )
    return this.peer(`${store.name}, accepting only`, "accepting", "workers", muster.port)
  }

  async bareRoute(): Promise<Lane> {
    return this.server("bare route", "bare", await startServer("bareRoute"))
  }

  async fastify(): Promise<Lane> {
    return this.server("fastify, stores nothing", "ceiling", await startServer("fastify"))
  }

  async fastifySqlite(folder: string): Promise<Lane> {
    const server = await startServer("fastifySqlite", join(folder, "fastify.sqlite"))
    return this.server("(a) fastify + node:sqlite", "a", server)
  }

  async peer(name: string, role: Role, kind: CallerKind, target: string | number): Promise<Lane> {
    const caller = this.stack.use(await Caller.start(kind, target))
    return { name, role, do: (command) => caller.do(command), settle: () => Promise.resolve() }
  }

  private server(name: string, role: Role, { port, program }: PortedProgram): Promise<Lane> {
    this.stack.use(program)
    return this.peer(name, role, "workers", port)
  }
}

/** What some rounds of one lane came to; the latencies are medians over the rounds. */
export interface Result {
  readonly lane: Lane
  readonly perSecond: Summary
  readonly p50: number
  readonly p99: number
}

export const toResult = (lane: Lane, rounds: ReadonlyArray<Measured>): Result => ({
  lane,
  perSecond: summarize(rounds.map(({ count, seconds }) => count / seconds)),
  p50: summarize(rounds.map(({ p50 }) => p50)).median,
  p99: summarize(rounds.map(({ p99 }) => p99)).median
})

/** The rate of a lane to that of the fastest in a role; nothing where nobody plays it. */
export const ratio = (
  { perSecond }: Result,
  results: ReadonlyArray<Result>,
  role: Role
): number | undefined => {
  const rates = results.filter(({ lane }) => lane.role === role).map(({ perSecond }) => perSecond.median)
  return rates.length === 0 ? undefined : perSecond.median / Math.max(...rates)
}

export const formatRatio = (ratio: number | undefined): string => ratio?.toFixed(2) ?? "–"

export const formatRate = (perSecond: number): string => Math.round(perSecond).toLocaleString("en")

export const formatRange = ({ maximum, minimum }: Summary): string =>
  `${formatRate(minimum)}–${formatRate(maximum)}`
