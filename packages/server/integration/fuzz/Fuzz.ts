/**
 * One run: every area that was asked for, in rounds, and what was found.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileArea } from "./FileArea.ts"
import { type Finding, Findings } from "./Findings.ts"
import { GrpcArea } from "./GrpcArea.ts"
import { HostileArea } from "./HostileArea.ts"
import { ServiceArea, type ServiceInputs } from "./ServiceArea.ts"
import { growth, type Sample } from "./Trend.ts"

export const areas = ["http", "sockets", "grpc", "files"] as const
export type Area = (typeof areas)[number]

export interface FuzzSettings {
  readonly seed: string
  /** Inputs at the service; 70 in a hundred are requests, the others connections. For each ten, a call and a file. */
  readonly requests: number
  readonly only: Area | undefined
  /** In how many rounds; after each the processes are looked at. */
  readonly rounds: number
  /** Where the inputs go that something was found with. */
  readonly folder: string
  readonly say: (line: string) => void
  readonly progress: (text: string) => void
}

export interface FuzzOutcome {
  readonly findings: ReadonlyArray<Finding>
  readonly summary: ReadonlyArray<string>
}

export const fuzz = async (settings: FuzzSettings): Promise<FuzzOutcome> => {
  const { folder, only, requests, say, seed } = settings
  const findings = new Findings(folder, seed, say)
  const summary: Array<string> = []
  const wants = (area: Area) => only === undefined || only === area
  const home = mkdtempSync(join(tmpdir(), "muster-fuzz-"))
  try {
    const connections = only === "sockets" ? requests : Math.round(requests * 0.3)
    const ofHttp = only === "http" ? requests : requests - connections
    const tenth = only === undefined ? Math.ceil(requests / 10) : requests
    if (wants("http")) summary.push(...(await fuzzService(settings, "http", ofHttp, findings, home)))
    if (wants("sockets"))
      summary.push(...(await fuzzService(settings, "sockets", connections, findings, home)))
    if (wants("grpc")) {
      summary.push(...(await fuzzScheduler(settings, tenth, findings, home)))
      // What is asked of a scheduler that does not answer takes its time.
      summary.push(...(await fuzzByScheduler(settings, Math.ceil(tenth / 5), findings, home)))
    }
    if (wants("files")) summary.push(...(await fuzzFiles(settings, tenth, findings, home)))
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return { findings: findings.all, summary }
}

/** The ranges of so many rounds. */
const roundsOf = (inputs: number, rounds: number): ReadonlyArray<readonly [from: number, to: number]> =>
  Array.from({ length: rounds }, (_, round) => [
    Math.floor((inputs * round) / rounds),
    Math.floor((inputs * (round + 1)) / rounds)
  ])

const fuzzService = async (
  { progress, rounds, seed }: FuzzSettings,
  area: ServiceInputs,
  count: number,
  findings: Findings,
  home: string
): Promise<ReadonlyArray<string>> => {
  const service = await ServiceArea.start(area, home, findings, seed)
  try {
    for (const [from, to] of roundsOf(count, rounds)) {
      await service.round(from, to, (done) => progress(`${area}  ${done} of ${count}`))
    }
  } finally {
    await service.stop()
  }
  const statuses = Array.from(service.statuses).toSorted(([a], [b]) => a - b)
  return [
    `${area}: ${count} inputs at muster serve`,
    `  answers: ${statuses.map(([status, count]) => `${status || "none"} ${count}`).join(", ")}`,
    ...usage(service.samples)
  ]
}

const fuzzScheduler = async (
  { progress, rounds, seed }: FuzzSettings,
  count: number,
  findings: Findings,
  home: string
): Promise<ReadonlyArray<string>> => {
  const scheduler = await GrpcArea.start(home, findings, seed)
  try {
    for (const [from, to] of roundsOf(count, rounds)) {
      await scheduler.round(from, to, (done) => progress(`grpc  ${done} of ${count}`))
    }
  } finally {
    await scheduler.stop()
  }
  const statuses = Array.from(scheduler.statuses).toSorted(([a], [b]) => Number(a) - Number(b))
  return [
    `grpc: ${count} inputs at muster scheduler`,
    `  grpc-status: ${statuses.map(([status, times]) => `${status} ${times}`).join(", ")}`,
    ...usage(scheduler.samples)
  ]
}

const fuzzByScheduler = async (
  { progress, rounds, seed }: FuzzSettings,
  count: number,
  findings: Findings,
  home: string
): Promise<ReadonlyArray<string>> => {
  const service = await HostileArea.start(home, findings, seed)
  try {
    for (const [, to] of roundsOf(count, Math.min(rounds, 5))) {
      await service.round(to, (done) => progress(`a hostile scheduler  ${done} of ${count}`))
    }
  } finally {
    await service.stop()
  }
  return [
    `grpc: ${service.answers} answers of a hostile scheduler to muster serve`,
    ...usage(service.samples)
  ]
}

const fuzzFiles = async (
  { progress, seed }: FuzzSettings,
  count: number,
  findings: Findings,
  home: string
): Promise<ReadonlyArray<string>> => {
  const files = new FileArea(home, findings, seed)
  await files.round(0, count, (done) => progress(`files  ${done} of ${count}`))
  const { refused, unreadableFiles, workers } = files.entries
  return [
    `files: ${count} files`,
    `  entries: ${workers} workers, ${refused} refused; ${unreadableFiles} files refused whole`
  ]
}

const usage = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const first = samples[0]
  const last = samples.at(-1)
  if (first === undefined || last === undefined) return []
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  return [
    `  heap after collection: ${mib(first.heap)} after ${first.inputs}, ${mib(last.heap)} after ${last.inputs}; trend ${mib(growth(samples, "heap"))}`,
    `  memory of the process: ${mib(first.rss)}, ${mib(last.rss)}; trend ${mib(growth(samples, "rss"))}; open files: ${first.files}, ${last.files}`
  ]
}
