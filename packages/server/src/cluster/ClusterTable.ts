/**
 * The servers of a cluster in a terminal, and as lines for other programs.
 */
import type { ClusterResponse } from "../http/ClusterSchemas.ts"
import type { Paint } from "../TerminalOutput.ts"
import { printable, wrap } from "../TerminalText.ts"
import { textTable } from "../TextTable.ts"
import { plural, shortSpan } from "../TimeText.ts"
import { absenceTexts, nameOf, ranges, unattended } from "./ClusterWords.ts"

type Server = ClusterResponse["servers"][number]

const colours = { up: undefined, silent: "yellow", lost: "red", stopping: "dim" } as const

/** A table of the servers, and below it how things are. What nobody looks after is for the caller to tell. */
export const clusterTable = (view: ClusterResponse, columns: number, paint: Paint): string => {
  const now = latest(view.servers)
  return [
    textTable(
      ["SERVER", "STATE", "VERSION", "UPTIME", "HEARD", "PARTITIONS"],
      view.servers.map((server) => [
        server.isThis ? `${nameOf(server)} (answers)` : nameOf(server),
        server.state,
        server.version,
        shortSpan(Date.parse(server.seenAt) - Date.parse(server.startedAt)),
        `${shortSpan(now - Date.parse(server.seenAt))} ago`,
        server.partitions.length === 0 ? "none" : `${server.partitions.length}: ${ranges(server.partitions)}`
      ]),
      columns,
      paint,
      (row) => colours[view.servers[row]?.state ?? "up"]
    ),
    ...below(view).flatMap((text) => wrap(printable(text), columns))
  ].join("\n")
}

const below = (view: ClusterResponse): ReadonlyArray<string> => {
  if (!view.clustered) return ["This server is alone, and looks after the whole fleet."]
  const up = view.servers.filter(({ state }) => state === "up").length
  const attended = view.partitions - unattended(view).length
  const share = attended === view.partitions ? `all ${attended}` : `${attended} of ${view.partitions}`
  return [`${plural(up, "server")} up; ${share} partitions are looked after.`, ...absenceTexts(view.servers)]
}

/** For other programs: separated by tabs, times in RFC 3339; an empty field is empty. */
export const plainLine = (server: Omit<Server, "state"> & { readonly state: string }): string =>
  [
    server.url,
    server.address ?? "",
    server.state,
    server.version,
    server.startedAt,
    server.seenAt,
    ranges(server.partitions).replaceAll(" ", ""),
    server.isThis ? "answers" : ""
  ]
    .map(printable)
    .join("\t")

/** The servers' times are by the store's clock, which need not be this machine's: the latest of them is about now. */
export const latest = (servers: ReadonlyArray<Server>): number =>
  Math.max(0, ...servers.map(({ seenAt }) => Date.parse(seenAt)))
