/**
 * The variables of `RegistrationConfig`, which the library reads itself, as declarations.
 */
import { RegistrationConfig, type RegistrationSettings } from "@muster/core"
import { Duration, Option } from "effect"
import { durationText } from "../DurationText.ts"
import type { AnyVariable } from "../Variables.ts"

/** What the service and the commands have instead of the library's defaults. */
export const registrationFallback = { jitter: "full" } as const

const descriptions: Readonly<Record<keyof RegistrationSettings, string>> = {
  maxRetries: "retries of one registration after its first attempt",
  baseBackoff: "the wait before the first retry; it doubles with each further one",
  maxBackoff: "the longest such wait",
  jitter: "how much of a wait is left to chance: `none`, `equal` (half of it) or `full`",
  attemptTimeout: "the longest that one attempt may take",
  deadline: "the longest that all attempts and waits of one registration may take together",
  batchConcurrency:
    "workers in flight at the same time in `muster register` without `--server`; the service has `MUSTER_CONCURRENCY`"
}

const defaults = { ...RegistrationConfig.defaults, ...registrationFallback }

const show = (value: RegistrationSettings[keyof RegistrationSettings]): string => {
  if (Duration.isDuration(value)) return durationText(value)
  return value === undefined ? "" : String(value)
}

/** In the order in which they are shown. What is wrong with one is known when all of them have been read. */
export const registrationVariables: ReadonlyArray<AnyVariable> = RegistrationConfig.variables.map(
  ({ field, name, rule }) => ({
    name,
    description: descriptions[field],
    rule,
    defaultText: show(defaults[field]),
    isSecret: false,
    file: undefined,
    namesSecretFile: false,
    flag: undefined,
    check: Option.some
  })
)
