/**
 * What two failures have in common that have one cause, for the command line and the console alike.
 */

/** The same for messages that differ in the worker, and in how long or how often it was tried, alone. */
export const causeKey = (type: string, message: string, id: string): string =>
  `${type} ${withoutParticulars(message, id)}`

const withoutParticulars = (message: string, id: string): string =>
  message
    .replace(new RegExp(`(?<![\\w.:-])${id.replaceAll(".", "\\.")}(?![\\w:-])`, "g"), "…")
    .replace(/\b\d+(?:\.\d+)?(?:ns|µs|ms|s|m|h|d)\b/g, "…")
    .replace(/\b\d+ attempts?\b/g, "… attempts")
    .replace(/…(?: …)+/g, "…")
