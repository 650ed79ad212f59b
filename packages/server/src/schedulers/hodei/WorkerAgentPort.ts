/**
 * Hodei's WorkerAgentService as a scheduler, in either version: tokens and sessions, refusals in words, and a list of ids.
 */
import {
  type ListedWorker,
  type SchedulerError,
  SchedulerFault,
  type SchedulerImplementation,
  SchedulerRejected,
  type Worker,
  WorkerId
} from "@muster/core"
import { type Duration, Effect, Redacted, Result, Schema, Stream } from "effect"
import { WorkerInfo } from "../generated/hodei/worker/worker_agent.ts"
import { type GrpcStatus, toSchedulerError } from "../grpc/GrpcStatus.ts"
import { isAbsence, tokenRefused, toRefusal } from "./Refusal.ts"
import { Sessions } from "./Sessions.ts"
import type { Proof, Wire } from "./Wire.ts"
import { toWorkerInfo } from "./WorkerInfo.ts"

export interface WorkerAgentOptions {
  readonly wire: Wire
  /** A token for the registration of this worker; an empty one where none is needed. */
  readonly token: (workerId: WorkerId) => Effect.Effect<Redacted.Redacted, SchedulerError>
  /** How long a call may take. */
  readonly timeout: Duration.Duration
}

type WorkerAgentPort = Required<Pick<SchedulerImplementation, "register" | "unregister" | "list">> & {
  /** False once the scheduler has said that it cannot, until it can. */
  readonly canList: () => boolean
}

export const makeWorkerAgentPort = ({ timeout, token, wire }: WorkerAgentOptions): WorkerAgentPort => {
  const sessions = new Sessions()
  let canList = true

  const toError = (status: GrpcStatus): SchedulerError =>
    status.code === "UNIMPLEMENTED"
      ? new SchedulerRejected({ code: "unimplemented", message: notThisProtocol(status.message) })
      : toSchedulerError(status, timeout)

  const attempt = Effect.fnUntraced(function* (worker: Worker, proof: Proof) {
    const answer = yield* Effect.mapError(wire.register(worker, proof), toError)
    if (!answer.success) return yield* toRefusal(answer.message)
    if (answer.workerId !== "" && answer.workerId !== worker.id) {
      return yield* new SchedulerFault({
        message: registeredAs(worker.id, answer.workerId),
        retryable: false
      })
    }
    return answer.sessionId
  })

  const register = Effect.fnUntraced(function* (worker: Worker) {
    const bytes = toBytes(worker)
    const read = yield* Effect.result(token(worker.id))
    const withToken = Result.isSuccess(read)
      ? attempt(worker, { token: Redacted.value(read.success), sessionId: "" })
      : Effect.fail(read.failure)
    // In a session the scheduler does not look at what it is told, so this is for where there is no good token only.
    const inSession = (error: SchedulerError) => {
      const sessionId = sessions.find(worker.id, bytes)
      if (sessionId === "" || (Result.isSuccess(read) && !isOfToken(error))) return Effect.fail(error)
      return Effect.mapError(attempt(worker, { token: "", sessionId }), (other) =>
        isOfToken(other) ? error : other
      )
    }
    sessions.keep(worker.id, bytes, yield* Effect.catch(withToken, inSession))
  })

  const unregister = Effect.fnUntraced(function* (workerId: WorkerId) {
    sessions.forget(workerId)
    const answer = yield* wire
      .unregister(workerId, "unregistered by Muster")
      .pipe(
        Effect.catch((status) =>
          status.code === "NOT_FOUND"
            ? Effect.succeed({ success: true, message: status.message })
            : Effect.fail(toError(status))
        )
      )
    if (!answer.success && !isAbsence(answer.message)) return yield* toRefusal(answer.message)
  })

  const list = Effect.gen(function* () {
    const { ids, total } = yield* Effect.mapError(wire.list, (status) => {
      if (status.code === "UNIMPLEMENTED") canList = false
      return toError(status)
    })
    canList = true
    if (total > ids.length) {
      return yield* new SchedulerFault({ message: notAll(ids.length, total), retryable: false })
    }
    const known = ids.filter(isWorkerId)
    if (known.length < ids.length) {
      yield* Effect.logWarning(
        `Hodei lists ${ids.length - known.length} ids that no worker of Muster has; left out`
      )
    }
    return known.map((id): ListedWorker => ({ worker: { id } }))
  })

  return {
    register,
    unregister,
    list: Stream.fromIterableEffect(list),
    canList: () => canList
  }
}

/** Whether it was the token that was refused: by the call's status, or in words. */
const isOfToken = (error: SchedulerError): boolean =>
  error._tag === "SchedulerRejected" && (error.code === "unauthenticated" || error.code === tokenRefused)

/** What of a worker the scheduler is told. */
const toBytes = (worker: Worker): Uint8Array => WorkerInfo.encode(toWorkerInfo(worker)).finish()

const isWorkerId = Schema.is(WorkerId)

const notThisProtocol = (message: string) =>
  `UNIMPLEMENTED: ${message || "the server does not have this method"}; does it speak this version of Hodei's protocol?`

const registeredAs = (workerId: WorkerId, assigned: string) =>
  `Hodei registered ${workerId} under another id, ${JSON.stringify(assigned.slice(0, 100))}: Muster could not unregister it`

const notAll = (listed: number, total: number) =>
  `Hodei lists ${listed} of ${total} workers; what is missing cannot be told from what is lost`
