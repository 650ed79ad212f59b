/**
 * A server of Hodei's services as their definitions say, over real sockets, with its registry in memory. It
 * checks tokens and sessions, forgets, refuses, and answers what it does not have as Hodei's own server does.
 */
import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  status as Code,
  type StatusObject,
  type UntypedServiceImplementation
} from "@grpc/grpc-js"
import { Effect, type Scope } from "effect"
import {
  type GetAvailableWorkersRequest,
  type GetAvailableWorkersResponse,
  type RegisterWorkerRequest,
  type RegisterWorkerResponse,
  type UnregisterWorkerRequest,
  type UnregisterWorkerResponse,
  WorkerAgentServiceService,
  type WorkerInfo
} from "../../src/schedulers/generated/hodei/worker/worker_agent.ts"
import * as Package from "../../src/schedulers/generated/hodei/hodei.ts"
import {
  WorkerServiceService,
  type WorkerRegistration,
  type WorkerStatus
} from "../../src/schedulers/generated/hwp/hwp.ts"

export interface HodeiServerOptions {
  /** Which version of the protocol it serves. Default: `hodei.worker`. */
  readonly package?: "hodei.worker" | "hodei" | undefined
  readonly port?: number | undefined
  /** Uses a token up; false where it is none, or was used. Default: every token is good, and none is needed. */
  readonly useToken?: ((token: string, workerId: string) => boolean) | undefined
  /** Ids must be UUIDs, as Hodei's own are. */
  readonly onlyUuids?: boolean | undefined
  /** Methods that it does not have. */
  readonly without?: ReadonlyArray<"register" | "getAvailableWorkers" | "unregisterWorker"> | undefined
  /** The most workers that it lists. */
  readonly mostListed?: number | undefined
  readonly credentials?: ServerCredentials | undefined
  /** Told of every worker that is held from now on, or no more. */
  readonly onChange?: ((change: string) => void) | undefined
}

export interface HeldByHodei {
  readonly info: WorkerInfo
  readonly sessionId: string
  readonly jobId: string | undefined
}

/** How the next registration is answered instead. */
export type HodeiAnswer = Partial<RegisterWorkerResponse> | Pick<StatusObject, "code" | "details">

export class HodeiServer {
  readonly workers = new Map<string, HeldByHodei>()
  /** What hwp.WorkerService was told, by id. */
  readonly registrations = new Map<string, WorkerRegistration>()
  readonly received: Array<RegisterWorkerRequest> = []
  /** Of each registration in package `hodei`. */
  readonly customResources: Array<Readonly<Record<string, number>>> = []
  readonly unregistered: Array<UnregisterWorkerRequest> = []
  port = 0
  private readonly server = new Server()
  private readonly options: HodeiServerOptions
  private readonly instead: Array<HodeiAnswer> = []
  private sessions = 0

  /** Serves until the scope ends. */
  static start(options: HodeiServerOptions = {}): Effect.Effect<HodeiServer, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.promise(() => new HodeiServer(options).listen()),
      (server) => Effect.sync(() => server.server.forceShutdown())
    )
  }

  private constructor(options: HodeiServerOptions) {
    this.options = options
    if (options.package === "hodei") this.addPackageHodei()
    else this.addPackageHodeiWorker()
    this.server.addService(WorkerServiceService, {
      registerWorker: unary((request: WorkerRegistration) => this.registerWorker(request))
    })
  }

  private addPackageHodeiWorker(): void {
    const { without = [] } = this.options
    const methods: UntypedServiceImplementation = {
      register: unary((request: RegisterWorkerRequest) => this.register(request)),
      getAvailableWorkers: unary((request: GetAvailableWorkersRequest) => this.list(request)),
      unregisterWorker: unary((request: UnregisterWorkerRequest) => this.unregister(request))
    }
    this.server.addService(
      WorkerAgentServiceService,
      Object.fromEntries(Object.entries(methods).filter(([name]) => !without.some((other) => other === name)))
    )
  }

  private addPackageHodei(): void {
    this.server.addService(Package.WorkerAgentServiceService, {
      register: unary((request: Package.RegisterWorkerRequest): Package.RegisterWorkerResponse => {
        const { workerInfo } = request
        const capacity = workerInfo?.capacity && {
          cpuCoresTotal: workerInfo.capacity.cpuCores,
          memoryBytesTotal: workerInfo.capacity.memoryBytes,
          gpuCountTotal: workerInfo.capacity.gpuCount
        }
        this.customResources.push(workerInfo?.capacity?.customResources ?? {})
        const { assignedWorkerId, message, sessionId, success } = this.register({
          ...request,
          workerInfo: workerInfo && { ...workerInfo, capacity }
        })
        return { success, message, sessionId, workerId: assignedWorkerId }
      }),
      unregisterWorker: unary((request: Package.UnregisterWorkerRequest) => this.unregister(request))
    })
    this.server.addService(Package.SchedulerServiceService, {
      getAvailableWorkers: unary(() => this.list({ maxResults: Infinity }))
    })
  }

  /** Loses everything, as when it is started again. */
  forget(): void {
    this.workers.clear()
    this.registrations.clear()
  }

  answerNext(...answers: ReadonlyArray<HodeiAnswer>): void {
    this.instead.push(...answers)
  }

  private listen(): Promise<this> {
    const { credentials = ServerCredentials.createInsecure(), port = 0 } = this.options
    return new Promise((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => {
        if (error !== null) return reject(error)
        this.port = bound
        resolve(this)
      })
    )
  }

  private register(request: RegisterWorkerRequest): RegisterWorkerResponse {
    this.received.push(request)
    const instead = this.instead.shift()
    if (instead !== undefined && "code" in instead) throw new Refused(instead.code, instead.details)
    if (instead !== undefined) return { ...empty, ...instead }
    const { authToken, jobId, sessionId, workerInfo } = request
    if (workerInfo === undefined) throw new Refused(Code.INVALID_ARGUMENT, "no worker_info")
    const id = workerInfo.workerId?.value ?? ""
    if (this.options.onlyUuids === true && !uuid.test(id)) {
      throw new Refused(Code.INVALID_ARGUMENT, "not a UUID: worker_id")
    }
    const held = this.workers.get(id)
    if (sessionId !== "" && held?.sessionId === sessionId)
      return this.registered(id, sessionId, "reconnected")
    if (this.options.useToken?.(authToken, id) === false) {
      throw new Refused(Code.UNAUTHENTICATED, "the token is unknown, too old, or used up")
    }
    const session = `session-${++this.sessions}`
    this.workers.set(id, { info: workerInfo, sessionId: session, jobId })
    const { cpuCoresTotal = 0, gpuCountTotal = 0, memoryBytesTotal = "0" } = workerInfo.capacity ?? {}
    const capacity = `(${cpuCoresTotal} cores, ${memoryBytesTotal} bytes, ${gpuCountTotal} GPUs)`
    this.tell("registered", id, [capacity, ...workerInfo.capabilities])
    return this.registered(id, session, "registered")
  }

  private registered(id: string, sessionId: string, message: string): RegisterWorkerResponse {
    return {
      success: true,
      message,
      assignedWorkerId: { value: id },
      sessionId,
      registrationTime: new Date()
    }
  }

  private list({ maxResults }: GetAvailableWorkersRequest): GetAvailableWorkersResponse {
    const ids = Array.from(this.workers.keys())
    return {
      workers: ids
        .slice(0, Math.min(maxResults, this.options.mostListed ?? Infinity))
        .map((value) => ({ workerId: { value } })),
      totalAvailable: ids.length
    }
  }

  private unregister(request: UnregisterWorkerRequest): UnregisterWorkerResponse {
    this.unregistered.push(request)
    const id = request.workerId?.value ?? ""
    const removed = this.workers.delete(id)
    if (removed) this.tell("unregistered", id)
    return { success: removed, message: removed ? "gone" : "Not found" }
  }

  private registerWorker(request: WorkerRegistration): WorkerStatus {
    const instead = this.instead.shift()
    if (instead !== undefined && "code" in instead) throw new Refused(instead.code, instead.details)
    if (request.workerId.trim() === "") throw new Refused(Code.INVALID_ARGUMENT, "no worker_id")
    this.registrations.set(request.workerId, request)
    this.tell("registered", request.workerId, request.capabilities)
    return { workerId: instead?.assignedWorkerId?.value ?? request.workerId, state: "IDLE" }
  }

  private tell(what: string, id: string, capabilities: ReadonlyArray<string> = []): void {
    this.options.onChange?.([what, id, ...capabilities].join(" "))
  }
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

const empty: RegisterWorkerResponse = {
  success: false,
  message: "",
  assignedWorkerId: undefined,
  sessionId: "",
  registrationTime: undefined
}

class Refused extends Error {
  readonly code: number

  constructor(code: number, details: string) {
    super(details)
    this.code = code
  }
}

const unary =
  <Request, Response>(answer: (request: Request) => Response): handleUnaryCall<Request, Response> =>
  ({ request }, callback) => {
    try {
      callback(null, answer(request))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      callback({ code: error.code, details: error.message, metadata: new Metadata() })
    }
  }
