/** pg-boss and graphile-worker as the engine, each with inserter and runner in one process, as an application has them. */
import { setTimeout as sleep } from "node:timers/promises"
import { forkModule, message } from "../durable/processes.ts"
import type { Postgres } from "../durable/services.ts"
import type { Contender, Engine, Place } from "./engine.ts"
import type { QueueAnswer, QueueCommand, QueueKind } from "./queueProcess.ts"

/** Whether a job is there that is not recorded as done. */
const unfinished: Record<QueueKind, string> = {
  pgBoss: "SELECT EXISTS (SELECT FROM pgboss.job WHERE state < 'completed') AS found",
  graphileWorker: "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS found"
}

export const queue = (name: string, kind: QueueKind, postgres: Postgres): Contender => ({
  name,
  start: (place) => start(kind, place, postgres)
})

const start = async (kind: QueueKind, { scheduler, store }: Place, postgres: Postgres): Promise<Engine> => {
  const program = forkModule(new URL("queueProcess.ts", import.meta.url), [kind, store, scheduler])
  await message(program)
  const database = new URL(store).pathname.slice(1)
  let first = 0
  let carriedOut: Promise<void> = Promise.resolve()
  return {
    pids: [program.pid],
    clientSeconds: () => 0,
    accept: async (count) => {
      const isInserted = Promise.withResolvers<void>()
      const isCarriedOut = Promise.withResolvers<void>()
      carriedOut = isCarriedOut.promise
      const hear = (answer: QueueAnswer) => {
        if (answer === "inserted") isInserted.resolve()
        else if (answer === "carried out") isCarriedOut.resolve()
        else isInserted.reject(new Error(answer.error))
      }
      program.child.on("message", hear)
      // The last job may be carried out before its inserter hears that it is inserted.
      void Promise.allSettled([isInserted.promise, isCarriedOut.promise]).then(() =>
        program.child.off("message", hear)
      )
      const command: QueueCommand = { first, count }
      first += count
      program.child.send(command)
      await Promise.race([isInserted.promise, program.alive])
    },
    done: async () => {
      await Promise.race([carriedOut, program.alive])
      while (
        (await postgres.query<{ found: boolean }>(unfinished[kind], database)).some(({ found }) => found)
      )
        await sleep(5)
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]()
  }
}
