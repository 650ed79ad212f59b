/**
 * `muster workers ID`: everything that is known of one worker.
 */
import type { Worker } from "@muster/core"
import { Clock, Console, Effect } from "effect"
import { MusterClient } from "../client/MusterClient.ts"
import { parseId } from "../commands/workerIds.ts"
import type { WorkerView } from "../http/Schemas.ts"
import { whileWaiting } from "../ProgressLine.ts"
import { type Fact, factLines } from "../TerminalFacts.ts"
import { type Paint, terminalOutput } from "../TerminalOutput.ts"
import { printable } from "../TerminalText.ts"
import { moment, plural } from "../TimeText.ts"
import { readWorker, unknownHere } from "./KnownWorker.ts"
import { phaseColour } from "./WorkerTable.ts"

export const showWorker = Effect.fnUntraced(function* (given: string, json: boolean) {
  const { address } = yield* MusterClient
  const id = yield* parseId(given)
  const view = yield* whileWaiting(`Waiting for ${address}`)(readWorker(id))
  if (view === undefined) return yield* unknownHere(address, id)
  if (json) return yield* Console.log(JSON.stringify(view, undefined, 2))
  const { columns = Infinity, paint } = yield* terminalOutput
  yield* Console.log(render(view, yield* Clock.currentTimeMillis, paint, columns).join("\n"))
})

const render = (view: WorkerView, now: number, paint: Paint, columns: number): ReadonlyArray<string> => [
  `${paint("bold", printable(view.id))} is ${paint(phaseColour[view.phase], view.phase)}`,
  "",
  ...factLines(
    [
      ...(view.worker === null ? [] : contentFacts(view.worker)),
      ["priority", view.priority],
      ...optional("lease", leaseText(view, now)),
      ["attempts", String(view.attempts)],
      ...optional("next attempt", view.nextAttemptAt && moment(view.nextAttemptAt, now)),
      ...optional(
        "last error",
        view.lastError &&
          `${view.lastError.message} (${view.lastError.type}, ${moment(view.lastError.at, now)})`
      ),
      ["known since", moment(view.createdAt, now)],
      ["updated", moment(view.updatedAt, now)],
      ...optional("registered", view.registeredAt && moment(view.registeredAt, now)),
      ["generation", String(view.generation)]
    ],
    paint,
    columns
  ),
  "",
  paint("dim", `How it came there: muster why ${printable(view.id)}`)
]

const optional = (name: string, text: string | null): ReadonlyArray<Fact> =>
  text === null ? [] : [[name, text]]

const contentFacts = ({ capabilities, metadata }: Worker): ReadonlyArray<Fact> => [
  ["capabilities", capabilitiesText(capabilities)],
  ["type", metadata.workerType],
  ["namespace", metadata.namespace],
  ...optional("labels", pairs(metadata.labels)),
  ...optional("tags", Array.from(metadata.tags).join(", ") || null)
]

/** "8 cores, 16,384 MiB, Docker, gpu: 2". */
export const capabilitiesText = ({
  cpuCores,
  customResources,
  dockerEnabled,
  memoryMb
}: Worker["capabilities"]): string =>
  [
    plural(cpuCores, "core"),
    `${memoryMb.toLocaleString("en-US")} MiB`,
    ...(dockerEnabled ? ["Docker"] : []),
    ...Object.entries(customResources).map(([name, amount]) => `${name}: ${amount}`)
  ].join(", ")

const pairs = (labels: Readonly<Record<string, string>>): string | null =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ") || null

const leaseText = ({ leaseExpiresAt, leaseTtl }: WorkerView, now: number): string | null => {
  if (leaseTtl === null) return null
  return leaseExpiresAt === null ? leaseTtl : `${leaseTtl}, ends ${moment(leaseExpiresAt, now)}`
}
