/**
 * The whole configuration of the service and the commands, as it would be if it were started now: every value, where it comes from, and
 * everything that is wrong with it at once.
 */
import { RegistrationConfig } from "@muster/core"
import { Effect, Layer, Option, Result } from "effect"
import { serviceAddress } from "../client/ServiceAddress.ts"
import { resolveClientTls } from "../client/ServiceHttpClient.ts"
import { checkRetryDelays } from "../FleetSettings.ts"
import { checkRateLimit } from "../LimitSettings.ts"
import { resolveTls } from "../http/TlsSettings.ts"
import { checkOpenFor, defaultCalls, policyVariables } from "../PolicySettings.ts"
import { resolveScheduler } from "../Schedulers.ts"
import { type ServeFlags, serviceVariables } from "../ServeSettings.ts"
import { clusterVariables, resolveCluster } from "../cluster/ClusterSettings.ts"
import { checkStoreFlag, storeKind } from "../store/Stores.ts"
import { type AnyVariable, broken, originOf, textOf, type Variable } from "../Variables.ts"
import { withoutSecrets } from "./Redaction.ts"
import { groups } from "./Groups.ts"
import { openSecrets } from "./OpenSecrets.ts"
import { registrationFallback } from "./RegistrationVariables.ts"
import { suggestion } from "./Suggestion.ts"

export type Source = "default" | "environment" | "file" | "flag"

export interface Setting {
  readonly name: string
  readonly group: string
  readonly flag: string | null
  readonly description: string
  readonly rule: string
  readonly default: string
  /** Without its secrets; what breaks its rule is shown as it was given. */
  readonly value: string
  readonly source: Source
  /** What is wrong with it. */
  readonly problem: string | null
}

export interface Configuration {
  readonly settings: ReadonlyArray<Setting>
  /** Everything that is wrong, whatever setting it belongs to. */
  readonly problems: ReadonlyArray<string>
  /** What is probably not meant. */
  readonly warnings: ReadonlyArray<string>
}

/** `names`: those of all variables of the environment. */
export const inspectConfiguration = Effect.fnUntraced(function* (
  flags: ServeFlags,
  names: ReadonlyArray<string>
): Effect.fn.Return<Configuration> {
  const settings: Array<Setting> = []
  for (const { title, variables } of groups) {
    for (const variable of variables) settings.push(yield* settingOf(title, variable, flags))
  }
  const problems = settings.flatMap(({ problem }) => problem ?? [])
  for (const message of yield* problemsTogether(flags, settings)) {
    if (problems.includes(message)) continue
    problems.push(message)
    const name = /\b(?:MUSTER_\w+|SLURM_CONF)\b/.exec(message)?.[0]
    const index = settings.findIndex((setting) => setting.name === name && setting.problem === null)
    const setting = settings[index]
    if (setting !== undefined) settings[index] = { ...setting, problem: message }
  }
  return { settings, problems, warnings: [...unknownVariables(names), ...(yield* openSecrets)] }
})

const settingOf = Effect.fnUntraced(function* (
  group: string,
  variable: AnyVariable,
  flags: ServeFlags
): Effect.fn.Return<Setting> {
  const { defaultText, description, isSecret, name, rule } = variable
  const shown = (value: string) => (isSecret ? "***" : withoutSecrets(value))
  const setting = { name, group, flag: variable.flag ?? null, description, rule, default: defaultText }
  const flag = flagOf(variable, flags)
  if (flag !== undefined) return { ...setting, value: shown(flag), source: "flag", problem: null }
  const origin = yield* Effect.result(originOf(variable))
  const text = yield* Effect.result(textOf(variable))
  const source = Result.isFailure(origin) || origin.success?._tag === "Environment" ? "environment" : "file"
  if (Result.isFailure(text)) return { ...setting, value: "***", source, problem: text.failure.message }
  if (text.success === undefined) {
    return { ...setting, value: yield* defaultValue(variable), source: "default", problem: null }
  }
  const { success } = text
  const value = variable.check(success)
  return {
    ...setting,
    value: shown(Option.getOrElse(value, () => success)),
    source,
    problem: Option.isSome(value) ? null : broken(variable)
  }
})

/** A default may depend on another value. */
const defaultValue = ({ defaultText, name }: AnyVariable): Effect.Effect<string> =>
  name === policyVariables.calls.name
    ? Effect.match(defaultCalls, { onSuccess: String, onFailure: () => defaultText })
    : Effect.succeed(defaultText)

const flagOf = ({ flag }: AnyVariable, flags: ServeFlags): string | undefined => {
  const given = {
    host: flags.host,
    port: Option.map(flags.port, String),
    scheduler: flags.scheduler,
    "slurm-conf": flags.slurmConf ?? Option.none(),
    store: flags.store,
    cluster: flags.cluster === true ? Option.some("on") : Option.none()
  }
  const named = Object.entries(given).find(([name]) => name === flag)?.[1]
  return named === undefined ? undefined : Option.getOrUndefined(named)
}

/** The rules that take more than one variable, or more than its text, to look at. */
const problemsTogether = Effect.fnUntraced(function* (
  flags: ServeFlags,
  settings: ReadonlyArray<Setting>
): Effect.fn.Return<ReadonlyArray<string>> {
  const isFine = (name: string) =>
    settings.some((setting) => setting.name === name && setting.problem === null)
  const chosen = (flag: Option.Option<string>, variable: Variable<string>) =>
    Effect.map(
      Effect.orElseSucceed(textOf(variable), () => undefined),
      (text) => Option.getOrElse(flag, () => text ?? variable.fallback)
    )
  const scheduler = yield* chosen(flags.scheduler, serviceVariables.scheduler)
  const host = yield* chosen(flags.host, serviceVariables.host)
  const store = yield* chosen(flags.store, serviceVariables.store)
  const slurmConf = Option.getOrUndefined(flags.slurmConf ?? Option.none())
  const messageOf = (check: Effect.Effect<unknown, { readonly message: string }>) =>
    Effect.match(check, { onSuccess: () => [], onFailure: ({ message }) => [message] })
  const found = [
    ...(yield* messageOf(checkStoreFlag(flags.store))),
    ...(yield* messageOf(checkRetryDelays)),
    ...(yield* messageOf(checkOpenFor)),
    ...(yield* messageOf(checkRateLimit)),
    ...(yield* messageOf(resolveScheduler(scheduler, { slurmConf }))),
    ...(isFine(serviceVariables.store.name) ? yield* messageOf(storeKind(store)) : []),
    ...(Object.values(clusterVariables).every(({ name }) => isFine(name))
      ? yield* messageOf(resolveCluster(store, host, flags.cluster === true))
      : []),
    ...(yield* registrationProblems),
    ...(yield* messageOf(resolveTls)),
    ...(yield* messageOf(serviceAddress(Option.none()))),
    ...(yield* messageOf(resolveClientTls))
  ]
  return found.map((message) => withoutSecrets(message))
})

const registrationProblems: Effect.Effect<ReadonlyArray<string>> = Effect.scoped(
  Layer.build(RegistrationConfig.layerConfigWith(registrationFallback))
).pipe(
  Effect.match({
    onSuccess: () => [],
    onFailure: (error) => (error._tag === "ConfigError" ? [error.message] : error.problems)
  })
)

const unknownVariables = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = groups.flatMap(({ variables }) => variables.map(({ name }) => name))
  return names
    .filter((name) => name.toUpperCase().startsWith("MUSTER_") && !known.includes(name))
    .toSorted()
    .map((name) => {
      const meant = suggestion(name.toUpperCase(), known)
      return `${name} is no variable of muster${meant === undefined ? "" : `; did you mean ${meant}?`}`
    })
}
