/** Everyone who takes part, by name. */
import type { Contestant, ContestantOptions } from "./contestant.ts"
import * as Muster from "./muster.ts"
import * as Bare from "./peers/bare.ts"
import * as Cockatiel from "./peers/cockatiel.ts"
import * as PRetry from "./peers/pRetry.ts"

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
    Muster.make(Muster.oneByOne, Muster.answersSynchronously(), options)
} satisfies Record<string, (options: ContestantOptions) => Contestant>

export type ContestantName = keyof typeof contestants

export const isContestant = (name: string): name is ContestantName => name in contestants

export const contestantNames = Object.keys(contestants).filter(isContestant)
