/**
 * A process of one peer's own: `callerProcess.ts KIND TARGET`. It hands over workers that count up from 0, as its
 * parent asks for, and measures what that takes.
 */
import { measure, type Measured } from "./callers.ts"
import type { Peer } from "./peer.ts"

/** Where a peer hands over: a port or a connection string. */
const kinds = {
  workers: async (target: string) => (await import("./peers/http.ts")).makeWorkers(Number(target)),
  etcd: async (target: string) => (await import("./peers/http.ts")).makeEtcd(Number(target)),
  pgBoss: async (target: string) => (await import("./peers/pgBoss.ts")).make(target),
  graphileWorker: async (target: string) => {
    const { make, oneByOne } = await import("./peers/graphileWorker.ts")
    return make(target, oneByOne)
  },
  graphileWorkerLocalQueue: async (target: string) => {
    const { localQueue, make } = await import("./peers/graphileWorker.ts")
    return make(target, localQueue)
  },
  bullmq: async (target: string) => (await import("./peers/bullmq.ts")).make(Number(target))
} satisfies Record<string, (target: string) => Promise<Peer>>

export type CallerKind = keyof typeof kinds

export type CallerCommand =
  /** Single workers, for so many milliseconds. */
  | { readonly do: "accept"; readonly callers: number; readonly millis: number }
  /** So many workers at once. */
  | { readonly do: "acceptMany"; readonly count: number }
  /** So many jobs, which are there. */
  | { readonly do: "workOff"; readonly count: number }

export type CallerAnswer = Measured | { readonly error: string }

const isKind = (name: string | undefined): name is CallerKind => name !== undefined && name in kinds

const run = async (peer: Peer): Promise<(command: CallerCommand) => Promise<Measured>> => {
  let sequence = 0
  return async (command) => {
    switch (command.do) {
      case "accept":
        await peer.prepare?.()
        return measure(command.callers, command.millis, (caller) => peer.accept(sequence++, caller))
      case "acceptMany": {
        const first = sequence
        sequence += command.count
        return whole(command.count, async () => {
          const startedAt = performance.now()
          await peer.acceptMany?.(first, command.count)
          return (performance.now() - startedAt) / 1000
        })
      }
      case "workOff":
        return whole(command.count, async () => (await peer.workOff?.(command.count)) ?? NaN)
    }
  }
}

const whole = async (count: number, work: () => Promise<number>): Promise<Measured> => ({
  count,
  seconds: await work(),
  p50: NaN,
  p99: NaN
})

const [, , kind, target] = process.argv
if (process.send !== undefined && isKind(kind) && target !== undefined) {
  const answer = await run(await kinds[kind](target))
  process.on("message", async (command: CallerCommand) => {
    const answered: CallerAnswer = await answer(command).catch((error: unknown) => ({ error: String(error) }))
    process.send?.(answered)
  })
  process.on("disconnect", () => process.exit())
  process.send("ready")
}
