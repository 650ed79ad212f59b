/**
 * Says when what is exported begins to be lost, and when it arrives again: once each time, however long it lasts and
 * however much is lost.
 */
import { Effect } from "effect"

/** How an export ended, as OpenTelemetry's exporters tell it; 0 is success. */
interface ExportResult {
  readonly code: number
  readonly error?: Error
}

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void
}

/** In this side's words alone: a collector that refuses a header may well repeat it. */
const reasonOf = (error: Error | undefined): string => {
  if (error === undefined) return "no answer that says why"
  return "code" in error && typeof error.code === "number" ? `it answered ${error.code}` : error.message
}

/** Makes an exporter tell `log` how its exports end. */
export const tellDelivery = <Items, E extends Exporter<Items>>(
  exporter: E & Exporter<Items>,
  what: string,
  destination: string,
  log: (line: Effect.Effect<void>) => void
): E => {
  let isLosing = false
  const send = exporter.export.bind(exporter)
  exporter.export = (items, done) =>
    send(items, (result) => {
      if (result.code !== 0 && !isLosing) {
        const reason = reasonOf(result.error)
        log(
          Effect.logWarning(`${what} cannot be delivered to ${destination} and are lost meanwhile: ${reason}`)
        )
      } else if (result.code === 0 && isLosing) {
        log(Effect.logInfo(`${what} are delivered to ${destination} again`))
      }
      isLosing = result.code !== 0
      done(result)
    })
  return exporter
}
