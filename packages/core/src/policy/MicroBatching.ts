/**
 * Micro-batching: registrations that wait at the same moment travel to the scheduler as one `registerBatch`. Use it
 * before a scheduler whose calls cost more than what is in them: one on the network, or one with a transaction for
 * each call. A policy takes a {@link SchedulerPort} and gives one; whoever calls `register` notices nothing.
 *
 * - **Nobody waits for company.** There is no window of time. A call goes out at the end of the scheduler tick in which
 *   it was made, together with those of the same tick; a lone one as a plain `register`. Only while `concurrency`
 *   calls are under way do further ones gather, and go out together when one of those has ended.
 * - **A bad member fails alone**: results are by position. A batch that fails as a whole is split in halves, which are
 *   tried one after another, so that n members of which one is poisonous cost some 2 · log₂ n calls more. Unless the
 *   scheduler is away, `SchedulerUnavailable` or a retryable `SchedulerFault`: then all members fail with that, and no
 *   further call is made; whoever retries does so later.
 * - **Whoever is interrupted leaves.** Before it is sent a call is withdrawn; afterwards the batch goes on for the
 *   others, and is interrupted itself when nobody waits for it any more.
 * - **Calls for one worker keep their order**, within a batch and from one to the next: one that comes while another
 *   for its worker is under way, given up or not, waits for that call to end. `unregister` passes through at once;
 *   that a registration of its worker is not waiting here is seen to by `WorkerRegistration`, above this policy. One
 *   that was given up but travels in a batch that goes on may arrive after it, as may one that is late on the network;
 *   against both the scheduler compares generations.
 *
 * Effect's own `RequestResolver` gathers calls too. But it does not tell a batch under way that its callers have gone,
 * which is how attempts time out here, and it sends a full batch at once, however many are under way.
 */
import { Cause, Context, Effect, Exit, Fiber, Layer, References, Result, Tracer } from "effect"
import { describeCause } from "../CauseText.ts"
import { type SchedulerError, SchedulerFault, SchedulerUnavailable } from "../SchedulerError.ts"
import { type CallOptions, type SchedulerImplementation, SchedulerPort } from "../SchedulerPort.ts"
import type { Worker, WorkerId } from "../Worker.ts"
import { isTraced } from "../TraceOrigin.ts"
import { jsonBytes } from "./JsonBytes.ts"
import { batchSizes } from "./SchedulerMetrics.ts"

export interface MicroBatchingOptions {
  /**
   * The most members of one batch, an integer ≥ 1. Default 128: as many operations as etcd takes in one transaction
   * unless it is told otherwise, and few enough for a poisonous member to be found with some 14 more calls.
   */
  readonly maxMembers?: number | undefined
  /**
   * The most bytes of one batch, as the JSON of its workers; an integer ≥ 1. It is estimated, never too low. A worker
   * that is larger travels alone. Default 1 MiB, which the usual limits of a message leave room for (gRPC's 4 MiB,
   * etcd's 1.5 MiB).
   */
  readonly maxBytes?: number | undefined
  /**
   * The most calls of `register` and `registerBatch` under way at the same time, an integer ≥ 1. More of them make
   * smaller batches, fewer let a slow one hold up the others. Default 4.
   */
  readonly concurrency?: number | undefined
}

const make = (options: MicroBatchingOptions = {}) => {
  const limits = resolve(options)
  return (port: SchedulerPort["Service"]): SchedulerPort["Service"] => {
    if (!canBatch(port)) return port
    const batching = new Batching(port, limits)
    return {
      ...port,
      register: (worker, options) => batching.register(worker, options),
      get capabilities() {
        return port.capabilities
      }
    }
  }
}

const layerWith = (options: MicroBatchingOptions): Layer.Layer<SchedulerPort, never, SchedulerPort> =>
  Layer.effect(
    SchedulerPort,
    Effect.map(SchedulerPort, (port) => make(options)(port))
  )

/**
 * The policy. Options that make no sense are a defect.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { EmbeddedScheduler, MicroBatching, Worker, WorkerRegistration } from "@muster/core"
 *
 * const scheduler = MicroBatching.layerWith({ maxMembers: 64 }).pipe(Layer.provide(EmbeddedScheduler.layer))
 *
 * const program = Effect.gen(function* () {
 *   const registration = yield* WorkerRegistration
 *   const worker = yield* Worker.decode({ id: "ci-7f3a", capabilities: { cpuCores: 8, memoryMb: 16384 } })
 *   return yield* registration.register(worker)
 * }).pipe(Effect.provide(WorkerRegistration.layer.pipe(Layer.provide(scheduler))))
 * ```
 */
export const MicroBatching = {
  /** From port to port. Gives a port without `registerBatch` back as it is; each application gathers for itself. */
  make,
  /** The policy before the scheduler that is provided to it. */
  layerWith,
  /** {@link MicroBatching.layerWith} the defaults. */
  layer: layerWith({})
}

type Limits = { readonly [Limit in keyof MicroBatchingOptions]-?: number }

const resolve = ({ concurrency = 4, maxBytes = 2 ** 20, maxMembers = 128 }: MicroBatchingOptions): Limits => {
  const limits = { concurrency, maxBytes, maxMembers }
  for (const [limit, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`${limit} of MicroBatching must be a whole number, 1 or more, but is ${value}`)
    }
  }
  return limits
}

type BatchPort = SchedulerPort["Service"] & Required<Pick<SchedulerImplementation, "registerBatch">>
const canBatch = (port: SchedulerPort["Service"]): port is BatchPort => port.registerBatch !== undefined

type AnyFiber = Fiber.Fiber<unknown, unknown>
type Results = ReadonlyArray<Result.Result<void, SchedulerError>>

/** A registration that somebody waits for: in a queue, then in a part of a batch, then in neither. */
class Member {
  readonly worker: Worker
  readonly options: CallOptions
  readonly fiber: AnyFiber
  readonly context: Context.Context<never>
  private readonly resume: (answer: Effect.Effect<void, SchedulerError>) => void
  queue: Queue | undefined = undefined
  previous: Member | undefined = undefined
  next: Member | undefined = undefined
  part: Part | undefined = undefined

  constructor(
    worker: Worker,
    options: CallOptions,
    fiber: AnyFiber,
    resume: (answer: Effect.Effect<void, SchedulerError>) => void
  ) {
    this.worker = worker
    this.options = options
    this.fiber = fiber
    this.context = fiber.context
    this.resume = resume
  }

  /** Does nothing to a caller that has gone. An answer that is an interruption does not withdraw it again. */
  answer(answer: Effect.Effect<void, SchedulerError>): void {
    this.part = undefined
    this.resume(answer)
  }
}

/** Members in order, any of which can leave at any time. */
class Queue {
  first: Member | undefined = undefined
  last: Member | undefined = undefined
  size = 0

  push(member: Member): void {
    this.insert(this.last, member, undefined)
  }

  unshift(member: Member): void {
    this.insert(undefined, member, this.first)
  }

  remove(member: Member): void {
    member.queue = undefined
    this.size--
    this.join(member.previous, member.next)
  }

  private insert(previous: Member | undefined, member: Member, next: Member | undefined): void {
    member.queue = this
    this.size++
    this.join(previous, member)
    this.join(member, next)
  }

  private join(previous: Member | undefined, next: Member | undefined): void {
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
  }
}

/** What takes up one of the calls under way: members that were sent together, and whatever becomes of them. */
class Batch {
  /** What is still to be sent, the next one last: all members at first, later the halves of what has failed. */
  readonly parts: Array<Part> = []
  /** Calls for its workers that have come since. */
  readonly heldBack = new Queue()
  /** Where it runs: that of its first member. */
  readonly context: Context.Context<never>
  isSplit = false
  private readonly workerIds = new Set<WorkerId>()

  constructor(members: ReadonlyArray<Member>, context: Context.Context<never>) {
    this.context = context
    for (const { worker } of members) this.workerIds.add(worker.id)
    this.push(members)
  }

  push(members: ReadonlyArray<Member>): void {
    this.parts.push(new Part(this, members))
  }

  /** Whether it has begun with this worker, though its caller may have gone. */
  carries(workerId: WorkerId): boolean {
    return this.workerIds.has(workerId)
  }
}

/** Members that travel in one call: a batch, or what is left of one after a split. */
class Part {
  readonly batch: Batch
  members: ReadonlyArray<Member>
  /** How many of them have not been withdrawn. */
  waiting: number
  /** Once it has begun, unless the answer was there at once. */
  call: AnyFiber | undefined = undefined
  stopListening = (): void => {}

  constructor(batch: Batch, members: ReadonlyArray<Member>) {
    this.batch = batch
    this.members = members
    this.waiting = members.length
    for (const member of members) member.part = this
  }

  /** Who still waits. */
  get remaining(): ReadonlyArray<Member> {
    return this.waiting === this.members.length
      ? this.members
      : this.members.filter(({ part }) => part === this)
  }
}

/**
 * The calls that wait and the batches under way. Built on fibers and their observers, because a batch is answered to
 * other fibers than the one that runs it.
 */
class Batching {
  private readonly waiting = new Queue()
  private readonly batches = new Set<Batch>()
  private willFlush = false
  private readonly port: BatchPort
  private readonly limits: Limits

  constructor(port: BatchPort, limits: Limits) {
    this.port = port
    this.limits = limits
  }

  register(worker: Worker, options: CallOptions): Effect.Effect<void, SchedulerError> {
    return Effect.withFiber((fiber) =>
      Effect.callback((resume) => {
        const member = new Member(worker, options, fiber, resume)
        this.waiting.push(member)
        this.flushSoon()
        return Effect.suspend(() => this.withdraw(member))
      })
    )
  }

  private withdraw(member: Member): Effect.Effect<void> {
    const { part, queue } = member
    queue?.remove(member)
    if (part === undefined) return Effect.void
    const { batch, call } = part
    member.part = undefined
    part.waiting--
    if (part.waiting > 0 || call === undefined) return Effect.void
    // Nobody waits for the answer. The others do not wait for the end of the call either, however long its adapter
    // takes to notice; only the caller does, as it would have for a call of its own.
    part.stopListening()
    call.interruptUnsafe(member.fiber.id)
    this.proceed(batch)
    return Effect.asVoid(Fiber.await(call))
  }

  /** While anybody waits and another call is allowed, a flush will come: at the end of this tick. */
  private flushSoon(): void {
    const { first } = this.waiting
    if (first === undefined || this.willFlush || this.batches.size >= this.limits.concurrency) return
    this.willFlush = true
    first.fiber.currentDispatcher.scheduleTask(this.flush, 0)
  }

  private readonly flush = (): void => {
    this.willFlush = false
    // Those who come meanwhile, since a scheduler may answer at once, have a flush of their own: others get a turn.
    let due = this.waiting.size
    while (due > 0 && this.batches.size < this.limits.concurrency) {
      const sizeBefore = this.waiting.size
      const members = this.take(due)
      due -= sizeBefore - this.waiting.size
      const [first] = members
      if (first === undefined) return
      const batch = new Batch(members, first.context)
      this.batches.add(batch)
      this.proceed(batch)
    }
  }

  /** The next batch, of the first `due` of those who wait. Those whose worker is under way wait for that. */
  private take(due: number): ReadonlyArray<Member> {
    const { maxBytes, maxMembers } = this.limits
    const members: Array<Member> = []
    let bytes = 0
    for (let left = due; left > 0 && members.length < maxMembers; left--) {
      const { first } = this.waiting
      if (first === undefined) break
      const carrier = this.carrier(first.worker.id)
      if (carrier === undefined) {
        bytes += jsonBytes(first.worker)
        if (bytes > maxBytes && members.length > 0) break
      }
      this.waiting.remove(first)
      if (carrier === undefined) members.push(first)
      else carrier.heldBack.push(first)
    }
    return members
  }

  private carrier(workerId: WorkerId): Batch | undefined {
    for (const batch of this.batches) if (batch.carries(workerId)) return batch
    return undefined
  }

  /** Sends what is left of a batch, part after part, as long as the answers are there at once. */
  private proceed(batch: Batch): void {
    for (let part = batch.parts.pop(); part !== undefined; part = batch.parts.pop()) {
      if (part.waiting > 0 && !this.send(part)) return
    }
    this.batches.delete(batch)
    this.release(batch)
    this.flushSoon()
  }

  /** Whether the answer was there at once. If not, the batch proceeds when it comes. */
  private send(part: Part): boolean {
    part.members = part.remaining
    batchSize.updateUnsafe(part.members.length, part.batch.context)
    const call = Effect.runForkWith(part.batch.context)(this.call(part.members))
    const exit = call.pollUnsafe()
    if (exit !== undefined) {
      this.conclude(part, exit)
      return true
    }
    if (part.waiting === 0) {
      // They have all left while it began.
      call.interruptUnsafe()
      return true
    }
    part.call = call
    part.stopListening = call.addObserver((exit) => {
      this.conclude(part, exit)
      this.proceed(part.batch)
    })
    return false
  }

  private call(members: ReadonlyArray<Member>): Effect.Effect<Results, SchedulerError> {
    const [first] = members
    if (members.length === 1 && first !== undefined) {
      return Effect.suspend(() => Effect.as(this.port.register(first.worker, first.options), accepted))
    }
    const batch = members.map(({ options: { generation }, worker }) => ({ worker, generation }))
    return inOwnSpan(
      members,
      Effect.suspend(() =>
        Effect.flatMap(this.port.registerBatch(batch), (results) => check(results, batch.length))
      )
    )
  }

  private conclude(part: Part, exit: Exit.Exit<Results, SchedulerError>): void {
    const { batch, members } = part
    if (Exit.isSuccess(exit)) {
      exit.value.forEach((result, index) => {
        members[index]?.answer(Result.isSuccess(result) ? Effect.void : Effect.fail(result.failure))
      })
    } else if (members.length === 1) {
      members.forEach((member) => member.answer(exit))
    } else if (isAway(exit.cause)) {
      for (const unanswered of [part, ...batch.parts.splice(0)]) {
        unanswered.members.forEach((member) => member.answer(exit))
      }
    } else {
      this.split(part, exit.cause)
    }
  }

  private split({ batch, members, remaining }: Part, cause: Cause.Cause<SchedulerError>): void {
    const half = Math.ceil(remaining.length / 2)
    batch.push(remaining.slice(half))
    batch.push(remaining.slice(0, half))
    if (batch.isSplit) return
    batch.isSplit = true
    // Its members may all succeed now, and nobody would ever hear of it.
    Effect.runForkWith(batch.context)(
      Effect.logWarning(
        `A batch of ${members.length} registrations failed as a whole and is tried in halves: ${describeCause(Cause.squash(cause))}`
      )
    )
  }

  /** Those that were held back come before whoever has called since. */
  private release({ heldBack }: Batch): void {
    for (let { last } = heldBack; last !== undefined; { last } = heldBack) {
      heldBack.remove(last)
      this.waiting.unshift(last)
    }
  }
}

const batchSize = batchSizes.at({})

const accepted: Results = [Result.void]

/** The results, if they are what a port promises. */
const check = (results: Results, count: number): Effect.Effect<Results, SchedulerFault> => {
  if (Array.isArray(results) && results.length === count && Array.from(results).every(Result.isResult)) {
    return Effect.succeed(results)
  }
  const message = `the scheduler's adapter did not answer a batch of ${count} with ${count} results`
  return Effect.fail(new SchedulerFault({ message, retryable: false }))
}

/** Whether the scheduler itself does not answer now, whoever is asked for. An adapter may fail with anything. */
const isAway = (cause: Cause.Cause<unknown>): boolean =>
  !Cause.hasDies(cause) &&
  cause.reasons.some(
    (reason) =>
      Cause.isFailReason(reason) &&
      (reason.error instanceof SchedulerUnavailable ||
        (reason.error instanceof SchedulerFault && reason.error.retryable))
  )

/**
 * A batch is no part of the one member in whose context it runs: its span is a root, with links to those of all. Where
 * nobody traces, it is in the trace of its members if that is one.
 */
const inOwnSpan = <A, E>(
  members: ReadonlyArray<Member>,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E> => {
  const links: Array<Tracer.SpanLink> = []
  for (const { context } of members) {
    const span = Context.getOrUndefined(context, Tracer.ParentSpan)
    if (span !== undefined) links.push({ span, attributes: {} })
  }
  const [first] = links
  if (first === undefined) return effect
  return Effect.withFiber((fiber) => {
    if (isTraced(fiber)) {
      return Effect.withSpan(effect, "SchedulerPort.registerBatch", {
        root: true,
        kind: "client",
        links,
        attributes: { "muster.batch.size": members.length }
      }).pipe(Effect.provideService(References.TracerSpanLinks, []))
    }
    const isOne = links.length === members.length && links.every(({ span }) => isSameSpan(span, first.span))
    return isOne ? effect : Effect.updateContext(effect, Context.omit(Tracer.ParentSpan))
  })
}

const isSameSpan = (left: Tracer.AnySpan, right: Tracer.AnySpan): boolean =>
  left.traceId === right.traceId && left.spanId === right.spanId
