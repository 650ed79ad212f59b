/**
 * Problems as responses, where no route makes one of them.
 */
import { Effect, Predicate } from "effect"
import { HttpServerRespondable, HttpServerResponse } from "effect/http"
import { bearerChallenge, Unauthenticated } from "./Problems.ts"

/** A problem as a response, with the headers that the API declares for it. */
export const problemResponse = (
  problem: HttpServerRespondable.Respondable
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(
    Effect.orDie(HttpServerRespondable.toResponse(problem)),
    HttpServerResponse.setHeaders(headersOf(problem))
  )

const headersOf = (problem: HttpServerRespondable.Respondable): Readonly<Record<string, string>> => {
  if (problem instanceof Unauthenticated) return { "www-authenticate": bearerChallenge }
  return Predicate.hasProperty(problem, "retryAfter") ? { "retry-after": String(problem.retryAfter) } : {}
}
