/**
 * The credential that comes with a request, and whether a browser sent it for somebody else's page.
 */
import { Option, Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"
import { isLoopbackHost } from "./LoopbackHost.ts"

type Request = Pick<HttpServerRequest.HttpServerRequest, "headers" | "cookies" | "method">

/** The cookie of the console's session; over TLS browsers keep it to this host, and the name says that they do. */
export const sessionCookie = { plain: "muster_session", secure: "__Host-muster_session" } as const

export interface PresentedCredential {
  readonly value: Redacted.Redacted
  /** Browsers send cookies along whatever page asks. */
  readonly isCookie: boolean
}

/** What the `Authorization` header has goes before a cookie. */
export const credentialOf = ({ cookies, headers }: Request): Option.Option<PresentedCredential> => {
  const { authorization } = headers
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization.trim()) ?? []
    return Option.some({ value: Redacted.make(token ?? ""), isCookie: false })
  }
  const session = cookies[sessionCookie.secure] ?? cookies[sessionCookie.plain]
  return session === undefined
    ? Option.none()
    : Option.some({ value: Redacted.make(session), isCookie: true })
}

/**
 * A page of another origin has made a browser send this. Browsers say so in `Sec-Fetch-Site`, and older ones in
 * `Origin` of everything that is more than a look; other programs say neither.
 */
export const isFromElsewhere = ({ headers }: Request): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site !== "same-origin" && site !== "none"
  const { host, origin } = headers
  if (origin === undefined) return false
  // "null" is what browsers say of pages that have no origin.
  return !URL.canParse(origin) || new URL(origin).host.toLowerCase() !== host?.toLowerCase()
}

/**
 * The request names a host that is not this machine. Where nothing but being on this machine is asked of a caller, a
 * page of another host whose name was made to point here would be one ("DNS rebinding").
 */
export const isMisdirected = ({ headers }: Request): boolean => {
  const { host } = headers
  return host !== undefined && host !== "" && !isLoopbackHost(host.replace(/:\d+$/, ""))
}
