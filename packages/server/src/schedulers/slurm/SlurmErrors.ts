/**
 * What Slurm says when it refuses, as what follows from it. The exit code of `scontrol` is 1 for everything, so the
 * words decide: those of Slurm's own table of errors, which have stayed the same since 22.05. The table in
 * `docs/schedulers/slurm.md` is this one.
 */
import { type SchedulerError, SchedulerFault, SchedulerRejected, SchedulerUnavailable } from "@muster/core"
import { invalidNode } from "./NodeSpec.ts"

/** The codes of refusals, beside that of an older generation. */
export const rejectionCodes = {
  invalidNode,
  foreignNode: "foreign_node",
  notesTooLong: "notes_too_long"
} as const

type Kind = "away" | "busy" | "absent" | "present" | "full" | "invalid" | "setup"

const words: ReadonlyArray<readonly [kind: Kind, pattern: RegExp]> = [
  ["away", /Unable to contact slurm controller/],
  ["away", /Zero Bytes were transmitted or received/],
  ["away", /Received zero length message/],
  ["away", /Socket timed out|Connection (?:timed out|refused|reset)|Operation now in progress|Broken pipe/],
  [
    "away",
    /Unexpected missing socket|Transport endpoint is not connected|No route to host|Network is unreachable/
  ],
  ["away", /Communication (?:connection|shutdown) failure|Message (?:send|receive) failure/],
  ["away", /standby mode/],
  ["away", /Munge encode failed|Failed to connect to authentication agent/],
  ["busy", /Requested nodes are busy/],
  ["absent", /Invalid node name specified/],
  ["full", /node table is full/],
  ["present", /Node already exists in the node table/],
  ["invalid", /Failed to parse nodeline/],
  ["invalid", /Invalid feature specification|Active features not subset of available features/],
  ["invalid", /Invalid generic resource|Invalid GRES specification/],
  ["setup", /denied|Invalid user id/i],
  ["setup", /authentication|credential/i],
  ["setup", /Incompatible versions of client and server code/],
  ["setup", /Only State=.* allowed for nodes created by scontrol|Node (?:creation|deletion) only compatible/],
  ["setup", /fatal: /]
]

/** What kind of failure these words tell of; none for those that are in no table. */
export const kindOf = (said: string): Kind | undefined => words.find(([, pattern]) => pattern.test(said))?.[0]

/** The error for a call about one node that failed with these words. */
export const errorOf = (said: string): SchedulerError => {
  const message = `Slurm says: ${summary(said)}`
  switch (kindOf(said)) {
    case "away":
    case "full":
      return new SchedulerUnavailable({ message })
    // The controller is well; it is this node that has to wait.
    case "busy":
    case "absent":
    case "present":
      return new SchedulerUnavailable({ message, concerns: "worker" })
    case "invalid":
      return new SchedulerRejected({ message, code: invalidNode })
    case "setup":
      return new SchedulerFault({ message, retryable: true })
    case undefined:
      return new SchedulerFault({ message, retryable: false })
  }
}

/** The last line is the error's own; a node line that is quoted before it may be long. */
const summary = (said: string): string => {
  const lines = said
    .split("\n")
    .map((line) => line.replace(/^(?:scontrol: (?:error: |fatal: )?|slurm_\w+ error: )/, "").trim())
    .filter((line) => line !== "" && !/^\*|Unspecified error/.test(line))
  const [line = "nothing"] = lines.slice(-1)
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}
