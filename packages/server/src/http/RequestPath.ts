/**
 * What can be said of a request from its address alone.
 */

/** A request's address without its query. */
export const pathOf = (url: string): string => url.split("?", 1)[0] ?? ""

/** Whether it is asked for by who watches the service: they are answered however busy it is. */
export const isWatching = (url: string): boolean => {
  const path = pathOf(url)
  return path === "/healthz" || path === "/readyz" || path === "/metrics"
}
