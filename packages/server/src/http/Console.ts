/**
 * `GET /`: the operator's console, a page and the scripts and styles that it is made of. They are read, and where need
 * be built, when they are first asked for. The console uses the routes of the API, as everybody may.
 */
import { Effect, Semaphore } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { type ConsoleFile, encodings, type NoConsole, readConsole } from "./ConsoleFiles.ts"
import { NotFound } from "./Problems.ts"
import { consoleFilesPath, consolePath } from "./Routes.ts"

/** Nothing from other hosts, nothing inline, in no frame. */
const protection = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin"
}

/** The names of the files say what is in them. */
const forEver = "public, max-age=31536000, immutable"

export const Console = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    let files: ReadonlyMap<string, ConsoleFile> | undefined
    const onlyOne = Semaphore.makeUnsafe(1).withPermits(1)
    // What failed is tried again by the next request.
    const known = onlyOne(
      Effect.gen(function* () {
        files ??= yield* readConsole
        return files
      })
    )
    const serve = Effect.fnUntraced(function* (path: string, cacheControl: string) {
      const request = yield* HttpServerRequest.HttpServerRequest
      const file = (yield* known).get(path)
      if (file === undefined) {
        return yield* Effect.orDie(
          HttpServerRespondable.toResponse(new NotFound({ detail: "The console has no such file." }))
        )
      }
      return respond(file, request.headers, cacheControl)
    }, Effect.catch(explain))

    yield* router.add("GET", consolePath, serve("/index.html", "no-cache"))
    yield* router.add("GET", consoleFilesPath, (request) =>
      serve(new URL(request.url, "http://localhost").pathname, forEver)
    )
  })
)

const respond = (
  { encoded, etag, plain, type }: ConsoleFile,
  headers: Readonly<Record<string, string | undefined>>,
  cacheControl: string
) => {
  const accepted = (headers["accept-encoding"] ?? "")
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter((part) => !/;\s*q=0(?:\.0*)?$/.test(part))
    .map((part) => part.split(";", 1)[0]?.trim())
  const encoding = encodings.find((name) => accepted.includes(name) && encoded.has(name))
  const tag = `"${etag}${encoding === undefined ? "" : `-${encoding}`}"`
  const common = { ...protection, "cache-control": cacheControl, etag: tag, vary: "accept-encoding" }
  const isKnown = headers["if-none-match"]?.split(",").some((one) => one.trim().replace(/^W\//, "") === tag)
  if (isKnown === true) return HttpServerResponse.empty({ status: 304, headers: common })
  const content = encoding === undefined ? plain : (encoded.get(encoding) ?? plain)
  return HttpServerResponse.uint8Array(content, {
    contentType: type,
    headers: { ...common, ...(encoding === undefined ? {} : { "content-encoding": encoding }) }
  })
}

/** In words, because a person looks at it. Why is for the log: it may name folders. */
const explain = (error: NoConsole) =>
  Effect.as(
    Effect.logError("There is no console to show", error),
    HttpServerResponse.text(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>Muster</title>
<h1>The console was not built</h1>
<p>In the repository, <code>pnpm install</code> and <code>pnpm build</code> make it; published packages have it.
The service itself runs: its API is described at <a href="./docs">/docs</a>.</p></html>`,
      {
        status: 503,
        contentType: "text/html; charset=utf-8",
        headers: { ...protection, "cache-control": "no-store" }
      }
    )
  )
