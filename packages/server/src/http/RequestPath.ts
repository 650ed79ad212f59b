/**
 * What can be said of a request from its address alone.
 */

/** Of a request's target, without its query, and without the host that one has which was meant for a proxy. */
export const pathOf = (url: string): string => url.replace(/^https?:\/\/[^/?]*/i, "").split("?", 1)[0] ?? ""

/** Whether it is asked for by who watches the service: they are answered however busy it is. */
export const isWatching = (url: string): boolean => {
  const path = pathOf(url)
  return path === "/healthz" || path === "/readyz" || path === "/metrics"
}
