/**
 * The last thing before a scheduler's adapter, where processes share a fleet: however long a call has waited on its way
 * here, it goes out only if its worker is still this process's, and is given up when it is that no more. What a scheduler
 * does with a call that was given up too late, the generation decides.
 */
import { Effect, Result } from "effect"
import { SchedulerUnavailable } from "../SchedulerError.ts"
import type { BatchMember, SchedulerPort } from "../SchedulerPort.ts"
import type { WorkerId } from "../WorkerId.ts"
import { partitionOf } from "./Partition.ts"
import type { Sharing } from "./Sharing.ts"

const message = "another process looks after this worker now, or may do so"

/** It says nothing of the scheduler. */
export const inOtherHands = new SchedulerUnavailable({ message, notSent: true, concerns: "worker" })
const givenUp = new SchedulerUnavailable({ message, concerns: "worker" })

export const fenced = (port: SchedulerPort["Service"], sharing: Sharing): SchedulerPort["Service"] => {
  const { registerBatch } = port

  const guarded = <A, E>(
    partitions: ReadonlyArray<number>,
    call: Effect.Effect<A, E>
  ): Effect.Effect<A, E | SchedulerUnavailable> => {
    const ended = Effect.raceAllFirst(partitions.map((partition) => sharing.ended(partition)))
    return Effect.raceFirst(
      call,
      Effect.flatMap(ended, () => Effect.fail(givenUp))
    )
  }

  const one = <E>(workerId: WorkerId, call: Effect.Effect<void, E>) =>
    Effect.suspend(() => {
      const partition = partitionOf(workerId)
      return sharing.isOurs(partition) ? guarded([partition], call) : Effect.fail(inOtherHands)
    })

  const many = (send: NonNullable<typeof registerBatch>) => (members: ReadonlyArray<BatchMember>) =>
    Effect.suspend(() => {
      const isOurs = members.map(({ worker }) => sharing.isOurs(partitionOf(worker.id)))
      const ours = members.filter((_, index) => isOurs[index] === true)
      if (ours.length === 0) return Effect.succeed(members.map(() => Result.fail(inOtherHands)))
      const partitions = Array.from(new Set(ours.map(({ worker }) => partitionOf(worker.id))))
      return Effect.map(guarded(partitions, send(ours)), (results) => {
        let next = 0
        return isOurs.map((isOne) =>
          isOne ? (results[next++] ?? Result.fail(givenUp)) : Result.fail(inOtherHands)
        )
      })
    })

  return {
    ...port,
    register: (worker, options) => one(worker.id, port.register(worker, options)),
    unregister: (workerId, options) => one(workerId, port.unregister(workerId, options)),
    ...(registerBatch === undefined ? {} : { registerBatch: many(registerBatch) }),
    get capabilities() {
      return port.capabilities
    }
  }
}
