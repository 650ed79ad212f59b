/**
 * How much is logged, as the environment says it.
 */
import { Layer, References } from "effect"
import { oneOf, read } from "./Variables.ts"
import type { WrongUsage } from "./WrongUsage.ts"

export const logLevelVariable = oneOf({
  name: "MUSTER_LOG_LEVEL",
  description: "what is logged: this and everything more severe",
  values: ["All", "Trace", "Debug", "Info", "Warn", "Error", "Fatal", "None"],
  fallback: "Info"
})

export const logLevelLayer: Layer.Layer<never, WrongUsage> = Layer.effect(
  References.MinimumLogLevel,
  read(logLevelVariable)
)
