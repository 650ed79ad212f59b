/**
 * The real service as a process, with the scheduler of the torture test beneath it:
 * `node serviceProcess.ts SCHEDULER_URL GIVEN_UP [ROUTES]`, where the second is the file of `GivenUp.ts`, and the third
 * the routes of `Rerouting.ts` as JSON. Everything else is what `muster serve` reads from the environment.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Logger, Option, References, Runtime, Schema } from "effect"
import { inspect } from "node:util"
import { resolveSettings } from "../../src/ServeSettings.ts"
import { runService } from "../../src/Service.ts"
import { storeLayer } from "../../src/store/Stores.ts"
import { ProcessSignals } from "../../src/Termination.ts"
import { dieWithParent } from "./DieWithParent.ts"
import { makeGiveUp } from "./GivenUp.ts"
import { errorMark } from "./ManagedProcess.ts"
import { remoteScheduler } from "./RemoteScheduler.ts"
import { reroute, Routes } from "./Rerouting.ts"

dieWithParent()

const [schedulerUrl = "", givenUp = "", routes = "{}"] = process.argv.slice(2)
reroute(Schema.decodeSync(Schema.fromJsonString(Routes))(routes))
const signals = new ProcessSignals()

const run = Runtime.makeRunMain(({ fiber, teardown }) => {
  signals.attach(fiber)
  fiber.addObserver((exit) => teardown(exit, (code) => process.exit(code)))
})

/** Errors that are not those of a call, which are all meant. */
const logger = Logger.make(({ cause, fiber, logLevel, message }) => {
  if (logLevel !== "Error" && logLevel !== "Fatal") return
  if (Object.hasOwn(fiber.getRef(References.CurrentLogAnnotations), "workerId")) return
  const told = inspect([message, Cause.pretty(cause)], { breakLength: Infinity })
  console.error(`${errorMark} ${told}`.replaceAll("\n", " "))
})

Effect.gen(function* () {
  const none = Option.none()
  const settings = yield* resolveSettings({ host: none, port: none, scheduler: none, store: none })
  yield* runService(settings, {
    scheduler: remoteScheduler(schedulerUrl, makeGiveUp(givenUp)),
    store: storeLayer(settings.store)
  })
}).pipe(
  Effect.tapError((error) => Console.error(error.message)),
  Effect.tapDefect((defect) => Console.error(defect)),
  Effect.provide([NodeServices.layer, signals.layer, Logger.layer([logger])]),
  run({ disableErrorReporting: true })
)
