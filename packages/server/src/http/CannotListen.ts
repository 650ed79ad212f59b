import { Predicate, Runtime, Schema } from "effect"

/** The service could not open its port. */
export class CannotListen extends Schema.TaggedError<CannotListen>("@muster/server/CannotListen")(
  "CannotListen",
  { message: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false

  static from(host: string, port: number, cause: unknown): CannotListen {
    return new CannotListen({
      message: `muster cannot listen on ${host}:${port}: ${reasonOf(cause, "--host or MUSTER_HOST", "--port or MUSTER_PORT")}`
    })
  }

  static forCluster(address: string, cause: unknown): CannotListen {
    const reason = reasonOf(cause, "MUSTER_CLUSTER_HOST", "MUSTER_CLUSTER_PORT")
    return new CannotListen({
      message: `muster cannot listen on ${address} for the other servers of its cluster: ${reason}`
    })
  }
}

const reasonOf = (cause: unknown, hostSetting: string, portSetting: string): string => {
  switch (Predicate.hasProperty(cause, "code") ? cause.code : undefined) {
    case "EADDRINUSE":
      return `something else listens there already. Stop it, or choose another port with ${portSetting}.`
    case "EACCES":
      return `this user may not open that port. Choose one above 1023 with ${portSetting}.`
    case "EADDRNOTAVAIL":
      return `this machine does not have that address. Choose another with ${hostSetting}.`
    case "ENOTFOUND":
      return `there is no such host. Choose another with ${hostSetting}.`
    default:
      return cause instanceof Error ? cause.message : "the system gave no reason."
  }
}
