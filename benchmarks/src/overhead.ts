/**
 * The cost of one registration over a scheduler that answers at once: what a registrar adds to every call.
 *
 * Each contestant has a process of its own (`--together`: all in this one), and the rounds are interleaved
 * (A B C, A B C, …), so that whatever else the machine does meets everyone alike.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { type ContestantName, rivals, steps } from "./contestants.ts"
import { run, type Round } from "./round.ts"
import { type Summary, summarize } from "./statistics.ts"
import { printTable } from "./table.ts"

const concurrencies = [10, 100]
const registrations = 10_000
const warmUps = 10
const rounds = 25

interface Lane {
  readonly name: ContestantName
  readonly run: (round: Round) => Promise<number>
  readonly close: () => void
}

const together = (name: ContestantName): Lane => ({ name, run, close: () => {} })

const isolated = (name: ContestantName): Lane => {
  const child = fork(new URL("./roundProcess.ts", import.meta.url))
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the process of ${name} has ended with ${code}`)
  })
  // An end after the last round is the end that was asked for.
  ended.catch(() => {})
  return {
    name,
    run: async (round) => {
      const answer = new Promise<number>((resolve) => child.once("message", (cost) => resolve(Number(cost))))
      child.send(round)
      return Promise.race([answer, ended])
    },
    close: () => child.disconnect()
  }
}

export const overhead = async (flags: ReadonlySet<string>): Promise<void> => {
  const lanes = rivals.map(flags.has("--together") ? together : isolated)
  console.log(
    `\nOne registration over a scheduler that answers at once: median of ${rounds} interleaved rounds of ` +
      `${registrations} registrations after ${warmUps} to warm up,\n` +
      (flags.has("--together") ? "all in one process.\n" : "each contestant in a process of its own.\n")
  )
  for (const concurrency of concurrencies) {
    report(concurrency, await measure(lanes, concurrency))
  }
  lanes.forEach((lane) => lane.close())
}

/** What each policy adds, one by one. */
export const policies = async (flags: ReadonlySet<string>): Promise<void> => {
  const lanes = steps.map(flags.has("--together") ? together : isolated)
  console.log("\nOne registration, with one policy more in each line; otherwise as overhead.\n")
  for (const concurrency of concurrencies) {
    const costs = Array.from(await measure(lanes, concurrency), ([name, values]) => ({
      name,
      summary: summarize(values)
    }))
    printTable(
      ["µs more", "µs each", "min–max", `concurrency ${concurrency}`],
      costs.map(({ name, summary: { maximum, median, minimum } }, index) => [
        index === 0 ? "" : (median - (costs[index - 1]?.summary.median ?? NaN)).toFixed(2),
        median.toFixed(2),
        `${minimum.toFixed(2)}–${maximum.toFixed(2)}`,
        name
      ])
    )
    console.log()
  }
  lanes.forEach((lane) => lane.close())
}

const measure = async (lanes: ReadonlyArray<Lane>, concurrency: number) => {
  const costs = new Map<ContestantName, Array<number>>(lanes.map(({ name }) => [name, []]))
  for (let index = 0; index < warmUps + rounds; index++) {
    for (const { name, run } of lanes) {
      const cost = await run({ name, concurrency, registrations })
      if (index >= warmUps) costs.get(name)?.push(cost)
    }
  }
  return costs
}

const report = (concurrency: number, costs: ReadonlyMap<ContestantName, ReadonlyArray<number>>): void => {
  const summaries = new Map(Array.from(costs, ([name, values]) => [name, summarize(values)]))
  const ratio = (summary: Summary, to: ContestantName) =>
    (summary.median / (summaries.get(to)?.median ?? NaN)).toFixed(2)
  printTable(
    ["to (a)", "to (b)", "µs each", "min–max", `concurrency ${concurrency}`],
    Array.from(summaries, ([name, summary]) => [
      ratio(summary, "(a) p-retry + p-limit"),
      ratio(summary, "(b) cockatiel"),
      summary.median.toFixed(2),
      `${summary.minimum.toFixed(2)}–${summary.maximum.toFixed(2)}`,
      name
    ])
  )
  console.log()
}
