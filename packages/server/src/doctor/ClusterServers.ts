/**
 * What `muster doctor` finds out about the other servers of a service that is one of several.
 */
import { Effect, Option, Schema } from "effect"
import type { HttpClient } from "effect/http"
import { absenceTexts, unattended, unattendedText } from "../cluster/ClusterWords.ts"
import { ClusterResponse } from "../http/ClusterSchemas.ts"
import { type Finding, ok, problem, warning } from "./Finding.ts"
import { get } from "./RunningService.ts"

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(ClusterResponse))

/** Nothing of a server that is alone. One that does not answer has been told of. */
export const checkClusterOf = (
  address: string
): Effect.Effect<ReadonlyArray<Finding>, never, HttpClient.HttpClient> =>
  Effect.map(Effect.option(get(address, "/v1/cluster")), (answer) =>
    Option.match(
      Option.flatMap(answer, ({ body }) => decode(body)),
      { onNone: () => [], onSome: findingsOf }
    )
  )

export const findingsOf = (view: ClusterResponse): ReadonlyArray<Finding> => {
  if (!view.clustered) return []
  const { partitions, servers } = view
  const findings: Array<Finding> = []
  const orphans = unattendedText(unattended(view))
  if (orphans !== undefined) {
    findings.push(
      problem(
        clause(orphans),
        "muster cluster shows when that is over: after some seconds, as long as a server is up."
      )
    )
  }
  for (const text of absenceTexts(servers)) {
    findings.push(warning(clause(text), "Look at its log, and start it again if it is needed."))
  }
  const versions = new Set(servers.flatMap(({ state, version }) => (state === "lost" ? [] : [version])))
  if (versions.size > 1) {
    findings.push(
      warning(
        `its servers are of different versions: ${Array.from(versions).join(", ")}`,
        "End the upgrade that was begun."
      )
    )
  }
  return findings.length > 0
    ? findings
    : [ok(`${servers.length} servers look after all ${partitions} partitions`)]
}

/** A sentence as the beginning of a finding, without its end. */
const clause = (text: string): string => text.replace(/^P(?=artition)/, "p").replace(/\.$/, "")
