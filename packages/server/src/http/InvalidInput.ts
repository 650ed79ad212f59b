/**
 * What a schema found wrong with a request, as its problem says it: where, and what is expected there.
 */
import { Effect, Schema, SchemaIssue } from "effect"
import { InvalidRequest } from "./Problems.ts"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** `slot`: the part of the request that it is about, such as `query`. */
export const invalidRequest = (issue: SchemaIssue.Issue, slot?: string): InvalidRequest =>
  new InvalidRequest({
    errors: formatIssues(issue).issues.map(({ message, path = [] }) => ({
      path: [
        ...(slot === undefined ? [] : [slot]),
        ...path.map((segment) => String(typeof segment === "object" ? segment.key : segment))
      ].join("."),
      message: expectation(message)
    }))
  })

/** Decodes JSON that was parsed already. */
export const decodeInput =
  <A, I>(schema: Schema.Codec<A, I>) =>
  (input: unknown): Effect.Effect<A, InvalidRequest> =>
    Schema.decodeUnknownEffect(schema)(input, { errors: "all" }).pipe(
      Effect.mapError((error) => invalidRequest(error.issue))
    )

// What the schema says it got is left out: it would repeat the value.
const expectation = (message: string): string =>
  message
    .replace(/, (?:got|actual) .*$/s, "")
    .replace(/^Expected /, "expected ")
    .replace(/^expected "[^"]*"(?: \| "[^"]*")+$/, (choice) =>
      choice.replaceAll('"', "").replaceAll(" | ", ", ").replace("expected", "expected one of")
    )
