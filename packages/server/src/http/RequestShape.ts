/**
 * What a request must look like before it is looked at. What two programs could read in two ways is refused, since the
 * other one may be a proxy that has let it through for what it took it for (RFC 9112, section 11.2).
 */
import type { IncomingMessage } from "node:http"
import { HttpLimits } from "./HttpLimits.ts"
import { refused, type RefusedRequest } from "./RefusedRequest.ts"

/** What is wrong with a request, if anything is. */
export const wrongShape = (request: IncomingMessage): RefusedRequest | undefined =>
  wrongVersion(request) ?? wrongTarget(request) ?? wrongHeaders(request)

const wrongVersion = ({ httpVersion }: IncomingMessage): RefusedRequest | undefined =>
  httpVersion === "1.1" || httpVersion === "1.0" ? undefined : refused.version

const wrongTarget = ({ method, url = "" }: IncomingMessage): RefusedRequest | undefined => {
  if (url.length > HttpLimits.targetBytes) {
    return { ...refused.target, detail: `It has more than ${HttpLimits.targetBytes} bytes.` }
  }
  if (!url.startsWith("/") && !/^https?:\/\//i.test(url) && !(method === "OPTIONS" && url === "*")) {
    return { ...refused.malformed, detail: "Its target is neither a path nor an http address." }
  }
  if (parameters(url) > HttpLimits.queryParameters) {
    return { ...refused.target, detail: `It has more than ${HttpLimits.queryParameters} query parameters.` }
  }
  return undefined
}

const parameters = (url: string): number => {
  let count = 0
  for (let at = url.indexOf("?"); at !== -1; at = url.indexOf("&", at + 1)) count++
  return count
}

/** Of these there is one at most. Node takes the first and drops the others, and somebody else may take the last. */
const single = new Set(["host", "content-type", "authorization", "transfer-encoding"])

const wrongHeaders = ({ headers, httpVersion, rawHeaders }: IncomingMessage): RefusedRequest | undefined => {
  if (rawHeaders.length > 2 * HttpLimits.headerFields) {
    return { ...refused.headers, detail: `There are more than ${HttpLimits.headerFields} of them.` }
  }
  const seen = new Set<string>()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase()
    if (!single.has(name)) continue
    if (seen.has(name)) return { ...refused.malformed, detail: `It has more than one ${name}.` }
    seen.add(name)
  }
  if (httpVersion === "1.1" && !seen.has("host")) return { ...refused.malformed, detail: "It has no host." }
  const coding = headers["transfer-encoding"]
  if (coding === undefined) return undefined
  // RFC 9112, section 6.1: a body whose end is not known for sure.
  if (httpVersion === "1.0") return { ...refused.malformed, detail: "HTTP/1.0 has no transfer-encoding." }
  return coding.toLowerCase() === "chunked" ? undefined : refused.transferCoding
}
