/**
 * What the API declares of authentication: that there is some, and how it is refused.
 */
import { HttpApiMiddleware } from "effect/http-api"
import {
  Forbidden,
  StoreUnavailableResponse,
  TooManyRequestsResponse,
  UnauthenticatedResponse
} from "./Problems.ts"

/** Answers requests that nobody may make, or not this caller. */
export class Authentication extends HttpApiMiddleware.Service<Authentication>()(
  "@muster/server/Authentication",
  { error: [UnauthenticatedResponse, Forbidden, TooManyRequestsResponse, StoreUnavailableResponse] }
) {}
