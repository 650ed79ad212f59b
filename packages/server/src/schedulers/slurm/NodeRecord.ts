/**
 * A node as `scontrol show nodes --oneliner` prints it: words `Key=value` in one line, of which the last ones may be
 * free text. There is `--json` too, but not in every version, not in every build, and not in the same form.
 */
import { Option, Schema } from "effect"
import { decodeNotes, type Note } from "./NodeNotes.ts"
import { markerFeature } from "./NodeSpec.ts"

export class NodeRecord extends Schema.Class<NodeRecord>("@muster/server/schedulers/slurm/NodeRecord")({
  name: Schema.NonEmptyString,
  cpus: Schema.FiniteFromString,
  memoryMb: Schema.FiniteFromString,
  features: Schema.Array(Schema.String),
  gres: Schema.String,
  address: Schema.String,
  states: Schema.Array(Schema.String),
  reason: Schema.String,
  /** What can be its `Extra`: free text before it may look like one. */
  extras: Schema.Array(Schema.String)
}) {
  /** Whether Muster has made it. */
  get isOurs(): boolean {
    return this.features.includes(markerFeature)
  }

  /** Whether a job is on it, as far as is known. */
  get isBusy(): boolean {
    return this.states.some((state) => busyStates.includes(state))
  }

  get isDraining(): boolean {
    return this.states.includes("DRAIN")
  }

  /** What is noted on it; none where it was made, but the notes did not come to be written. */
  get note(): Option.Option<Note> {
    return Option.firstSomeOf(this.extras.map((extra) => decodeNotes(this.name, extra)))
  }
}

const busyStates = ["ALLOCATED", "MIXED", "COMPLETING"]

/** The node of one line; none for a line about something else. */
export const parseNode = (line: string): Option.Option<NodeRecord> => {
  if (!line.startsWith("NodeName=")) return Option.none()
  const word = (key: string) => new RegExp(`(?:^| )${key}=(\\S*)`).exec(line)?.[1]
  return decode({
    name: word("NodeName"),
    cpus: word("CPUTot"),
    memoryMb: word("RealMemory"),
    features: listed(word("AvailableFeatures")),
    gres: orEmpty(word("Gres")),
    address: word("NodeAddr") ?? "",
    // A sign at the end of the first says what the others say in words.
    states: (word("State") ?? "").split("+").map((state) => state.replace(/[^A-Z_]+$/, "")),
    reason: / Reason=(.*)$/.exec(line)?.[1] ?? "",
    extras: Array.from(line.matchAll(/ Extra=(\{\S*)/g), ([, extra]) => extra)
  })
}

const decode = Schema.decodeUnknownOption(NodeRecord)

const orEmpty = (text = ""): string => (text === "(null)" ? "" : text)

const listed = (text: string | undefined) => orEmpty(text).split(",").filter(Boolean)
