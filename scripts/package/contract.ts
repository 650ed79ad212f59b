import { Effect, Layer } from "effect"
import { RegistrationConfig, SchedulerPort, SchedulerUnavailable, Worker, WorkerRegistration } from "@muster/core"

const scheduler = Layer.succeed(SchedulerPort, SchedulerPort.make({
  register: (worker, { generation }) => Effect.logInfo(`${worker.id} at ${generation}`),
  unregister: (workerId, { generation }) => Effect.fail(new SchedulerUnavailable({ message: "connection refused" }))
}))

const program = Effect.gen(function*() {
  const registration = yield* WorkerRegistration
  const worker = yield* Worker.decode({ id: "ci-7f3a", capabilities: { cpuCores: 8, memoryMb: 16384 } }) // fails with InvalidWorker
  const { attempts } = yield* registration.register(worker)
  const results = yield* registration.registerBatch([worker, worker])
  yield* registration.unregister(worker.id)
  return { attempts, results }
}).pipe(
  Effect.provide(WorkerRegistration.layer.pipe(
    Layer.provide(RegistrationConfig.layer({ maxRetries: 5, baseBackoff: "50 millis" })),
    Layer.provide(scheduler)
  ))
)
