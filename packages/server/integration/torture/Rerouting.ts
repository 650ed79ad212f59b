/**
 * The network of one process of the torture test: connections to a port of another go through a gate of the test's
 * instead, as if there were a network between them that can fail.
 */
import { Schema } from "effect"
import { Socket } from "node:net"

/** From the port that is connected to, to the one that is taken. */
export const Routes = Schema.Record(Schema.String, Schema.Int)
export type Routes = typeof Routes.Type

const hasPort = (value: unknown): value is { port: number } =>
  typeof value === "object" && value !== null && "port" in value && typeof value.port === "number"

/** From now on, for every connection that this process makes. */
export const reroute = (routes: Routes): void => {
  Socket.prototype.connect = new Proxy(Socket.prototype.connect, {
    apply: (connect, socket, args: ReadonlyArray<unknown>) => {
      // `net.connect` passes its arguments on as one list of them.
      const options: unknown = Array.isArray(args[0]) ? args[0][0] : args[0]
      if (hasPort(options)) options.port = routes[String(options.port)] ?? options.port
      return Reflect.apply(connect, socket, args)
    }
  })
}
