/**
 * What an adapter failed or died with, as text: somebody else's value, of any kind.
 */
import { Schema } from "effect"

/** A cause as JSON. Throws for one that throws when it is read. */
export const encodeCause = Schema.encodeUnknownSync(Schema.Defect())

/**
 * A cause in words. What is not an error is told as the JSON that it becomes, so that the message is the same when
 * it comes back. A cause is somebody else's value and may throw when it is read; the message never does, because
 * it is read where the call's outcome is counted and logged.
 */
export const describeCause = (cause: unknown): string => {
  try {
    if (cause instanceof Error) {
      const { message }: { readonly message: unknown } = cause
      return String(message)
    }
    const json = encodeCause(cause)
    return typeof json === "string" ? json : JSON.stringify(json)
  } catch {
    return "a cause that cannot be read"
  }
}
