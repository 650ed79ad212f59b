/** Everyone who takes part, by name. */
import type { Contestant, ContestantOptions } from "./contestant.ts"
import * as Muster from "./muster.ts"
import * as Bare from "./peers/bare.ts"
import * as Cockatiel from "./peers/cockatiel.ts"
import * as PRetry from "./peers/pRetry.ts"

/** Behind so many policies, the scheduler still behind a promise. */
const behind = (policies: number, options: ContestantOptions) =>
  Muster.make(Muster.oneByOne, Muster.answersByPromise(options), options, policies)

export const contestants = {
  "(a) p-retry + p-limit": (options) => PRetry.make(PRetry.cancelling, options),
  "(a') the same, calls not cancelled": (options) => PRetry.make(PRetry.abandoning, options),
  "(b) cockatiel": (options) => Cockatiel.make(options),
  "(c) bare loop": (options) => Bare.make(options),
  "Muster registerBatch": (options) =>
    Muster.make(Muster.inOneBatch, Muster.answersByPromise(options), options),
  "Muster register": (options) => Muster.make(Muster.oneByOne, Muster.answersByPromise(options), options),
  "Muster registerBatch, sync port": (options) =>
    Muster.make(Muster.inOneBatch, Muster.answersSynchronously(), options),
  "Muster register, sync port": (options) =>
    Muster.make(Muster.oneByOne, Muster.answersSynchronously(), options),
  "Muster register, all policies": (options) => behind(Muster.allPolicies, options),
  "+ circuit breaker": (options) => behind(1, options),
  "+ adaptive concurrency": (options) => behind(2, options),
  "+ micro-batching": (options) => behind(3, options),
  "+ pacing": (options) => behind(4, options),
  "+ retry budget": (options) => behind(5, options)
} satisfies Record<string, (options: ContestantOptions) => Contestant>

export type ContestantName = keyof typeof contestants

export const isContestant = (name: string): name is ContestantName => name in contestants

const contestantNames = Object.keys(contestants).filter(isContestant)

const isStep = (name: ContestantName) => name.startsWith("+ ")

/** Those that are compared with each other. */
export const rivals = contestantNames.filter((name) => !isStep(name))

/** Muster with one policy more each. */
export const steps: ReadonlyArray<ContestantName> = ["Muster register", ...contestantNames.filter(isStep)]
