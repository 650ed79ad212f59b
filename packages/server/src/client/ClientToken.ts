/**
 * The tokens that the commands show a service.
 */
import { Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { read, secretText } from "../Variables.ts"
import type { WrongUsage } from "../WrongUsage.ts"

export const tokenVariable = secretText({
  name: "MUSTER_TOKEN",
  description: "the token that the commands show the service, where it asks for one",
  rule: "a token without spaces, such as `muster tokens create` prints"
})

export const joinTokenVariable = secretText({
  name: "MUSTER_JOIN_TOKEN",
  description: "the token with which `muster join` registers this machine",
  rule: "a join token, such as `muster tokens join` prints"
})

/** A client that shows a token with every request. */
export const withToken = (
  token: Redacted.Redacted
): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(token)))
    )
  )

/** A client that shows the token of the environment, where there is one. */
export const withConfiguredToken: Layer.Layer<HttpClient.HttpClient, WrongUsage, HttpClient.HttpClient> =
  Layer.unwrap(
    Effect.map(read(tokenVariable), (token) =>
      token === undefined
        ? Layer.effect(HttpClient.HttpClient, HttpClient.HttpClient)
        : withToken(Redacted.make(token))
    )
  )
