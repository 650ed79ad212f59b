/**
 * What the commands share that speak to a running service: its flags, and its client.
 */
import { Effect, Layer, type Option } from "effect"
import { Flag } from "effect/cli"
import { MusterClient } from "../client/MusterClient.ts"
import { defaultAddress, serviceAddress } from "../client/ServiceAddress.ts"
import { serviceHttpClient } from "../client/ServiceHttpClient.ts"

export const serverFlag = Flag.String("server").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    `The address of the Muster service to ask (MUSTER_SERVER); ${defaultAddress} if not given`
  ),
  Flag.optional
)

/** The client of the service that `--server` names. */
export const serviceLayer = (server: Option.Option<string>) =>
  Layer.unwrap(Effect.map(serviceAddress(server), MusterClient.layer)).pipe(Layer.provide(serviceHttpClient))
