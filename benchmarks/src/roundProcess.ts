/** A process of one contestant's own: runs the rounds that its parent asks for, so that nobody shares a heap or a JIT. */
import { run, type Round } from "./round.ts"

process.on("message", async (round: Round) => process.send?.(await run(round)))
