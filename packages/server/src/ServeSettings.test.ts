import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option } from "effect"
import { resolveSettings } from "./ServeSettings.ts"

const none = Option.none()

/** What keeps the service from starting, with these variables and no flags. */
const refusal = (env: Record<string, string>) =>
  Effect.flip(resolveSettings({ host: none, port: none, scheduler: none, store: none })).pipe(
    Effect.map(({ message }) => message),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
  )

describe("the service's settings", () => {
  it.effect.each<[Record<string, string>, RegExp]>([
    [{ MUSTER_MAX_RATE: "fast" }, /^MUSTER_MAX_RATE must be a number above 0, auto, or off$/],
    [{ MUSTER_RETRY_RATIO: "-1" }, /^MUSTER_RETRY_RATIO must be a number from 0 to 100, or off$/],
    [{ MUSTER_CIRCUIT_FAILURE_RATE: "50" }, /^MUSTER_CIRCUIT_FAILURE_RATE must be a share above 0/],
    [{ MUSTER_CIRCUIT_OPEN_FOR: "1 minute" }, /^MUSTER_CIRCUIT_MAX_OPEN_FOR must not be under/],
    [{ MUSTER_MIN_LEASE: "off" }, /^MUSTER_MIN_LEASE must be a duration above zero/],
    [{ MUSTER_DEFAULT_LEASE: "never" }, /^MUSTER_DEFAULT_LEASE must be a duration above zero.*, or off/],
    [{ MUSTER_UNKNOWN_WORKERS: "keep" }, /^MUSTER_UNKNOWN_WORKERS must be one of report, adopt, remove/],
    [{ MUSTER_MAX_RETRY_DELAY: "1 milli" }, /^MUSTER_MAX_RETRY_DELAY must not be under MUSTER_RETRY_DELAY/],
    [{ MUSTER_SHUTDOWN_TIMEOUT: "-1 second" }, /^MUSTER_SHUTDOWN_TIMEOUT must be a duration above zero/],
    [{ MUSTER_CONCURRENCY: "0" }, /^MUSTER_CONCURRENCY must be a whole number/],
    [
      { MUSTER_HOST: "0.0.0.0" },
      /^Others reach 0\.0\.0\.0, and whoever can register a worker is sent jobs.*MUSTER_AUTH=on and MUSTER_OPERATOR_TOKEN_FILE/
    ],
    [{ MUSTER_HOST: "::" }, /^Others reach ::/],
    [{ MUSTER_HOST: "muster.internal" }, /^Others reach muster\.internal/],
    [{ MUSTER_AUTH: "maybe" }, /^MUSTER_AUTH must be off or on$/],
    [{ MUSTER_OPERATOR_TOKEN: "short" }, /^MUSTER_OPERATOR_TOKEN must be at least 32/],
    [{ MUSTER_OIDC_ISSUER: "http://id.example" }, /^MUSTER_OIDC_ISSUER must be an https:/],
    [{ MUSTER_OIDC_ISSUER: "https://id.example" }, /^MUSTER_OIDC_ISSUER needs MUSTER_OIDC_AUDIENCE/],
    [
      { MUSTER_OIDC_ISSUER: "https://id.example", MUSTER_OIDC_AUDIENCE: "m", MUSTER_OIDC_ROLES: "root=a:b" },
      /^MUSTER_OIDC_ROLES must be rules such as operator=groups:platform/
    ]
  ])("are refused with a word on what is wrong: %j", ([env, message]) =>
    Effect.map(refusal(env), (told) => assert.match(told, message))
  )

  it.effect("let everybody in on this machine alone, by whatever name", () =>
    Effect.gen(function* () {
      for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "muster.localhost"]) {
        const { access } = yield* resolveSettings({
          host: Option.some(host),
          port: none,
          scheduler: none,
          store: none
        }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))))
        assert.isFalse(access.isOn)
      }
    })
  )
})
