import { Predicate, Runtime, Schema } from "effect"

/** The service could not open its port. */
export class CannotListen extends Schema.TaggedError<CannotListen>("@muster/server/CannotListen")(
  "CannotListen",
  { message: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false

  static from(host: string, port: number, cause: unknown): CannotListen {
    return new CannotListen({ message: `muster cannot listen on ${host}:${port}: ${reasonOf(cause)}` })
  }
}

const reasons = new Map([
  [
    "EADDRINUSE",
    "something else listens there already. Stop it, or choose another port with --port or MUSTER_PORT."
  ],
  ["EACCES", "this user may not open that port. Choose one above 1023 with --port or MUSTER_PORT."],
  ["EADDRNOTAVAIL", "this machine does not have that address. Choose another with --host or MUSTER_HOST."],
  ["ENOTFOUND", "there is no such host. Choose another with --host or MUSTER_HOST."]
])

const reasonOf = (cause: unknown): string => {
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
  return reasons.get(code) ?? (cause instanceof Error ? cause.message : "the system gave no reason.")
}
