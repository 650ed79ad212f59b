/**
 * Files of workers, as `muster register FILE` reads them: in this process, since that is fast, and now and then by the
 * command itself. Whatever is in a file, each of its entries becomes a worker or a reason why not, soon; and nothing of
 * it becomes anything else.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Stream } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { open } from "../../src/fleetfile/FleetFile.ts"
import { decode, FleetFileError } from "../../src/fleetfile/FleetRow.ts"
import { WrongUsage } from "../../src/WrongUsage.ts"
import { Muster, Service, worker } from "../ServiceProcess.ts"
import { leaksOf } from "./AnswerCheck.ts"
import { Dice } from "./Dice.ts"
import { exportInput, type FileInput, fileInput } from "./FileInputs.ts"
import type { Findings } from "./Findings.ts"

/** Milliseconds for one file, of at most a few hundred kilobytes. */
const readWithin = 10_000

/** Every so many-th file goes to the command itself, and an export as often to `muster import`. */
const everyCommand = 400

export class FileArea {
  /** What became of the entries. */
  readonly entries = { workers: 0, refused: 0, unreadableFiles: 0 }
  private readonly folder: string
  private readonly findings: Findings
  private readonly seed: string

  constructor(folder: string, findings: Findings, seed: string) {
    this.folder = folder
    this.findings = findings
    this.seed = seed
  }

  async round(from: number, to: number, progress: (done: number) => void): Promise<void> {
    await using service = await Service.start({ cwd: this.folder })
    for (let number = from; number < to; number++) {
      const input = fileInput(new Dice(this.seed, "files", number))
      const name = join(this.folder, `workers${input.format === undefined ? "" : `.${input.format}`}`)
      writeFileSync(name, input.bytes)
      for (const what of await this.read(name)) this.found(number, input, what)
      if (number % everyCommand === 0) {
        for (const what of await byCommand(name, ["register", name, "--scheduler", "embedded"])) {
          this.found(number, input, `muster register: ${what}`)
        }
        const exported = exportInput(new Dice(this.seed, "exports", number))
        writeFileSync(name, exported.bytes)
        for (const what of await byCommand(name, ["import", name, "--server", service.url])) {
          this.found(number, exported, `muster import: ${what}`)
        }
        const { status } = await service.send("POST", "/v1/workers", worker("canary"), { prefer: "wait=10" })
        if (status !== 200)
          this.found(number, exported, `after muster import: no worker is registered: ${status}`)
      }
      progress(number + 1)
    }
  }

  private found(number: number, { bytes, format }: FileInput, what: string): void {
    this.findings.add("files", number, what, bytes, format ?? "txt")
  }

  private async read(path: string): Promise<ReadonlyArray<string>> {
    const started = performance.now()
    const exit = await Effect.gen(function* () {
      const { rows } = yield* open(path, { format: undefined, mappings: [] })
      return yield* rows.pipe(
        Stream.mapEffect((row) => Effect.result(decode(row))),
        Stream.runFold(
          () => ({ workers: 0, refused: 0 }),
          (counts, result) => ({
            workers: counts.workers + (result._tag === "Success" ? 1 : 0),
            refused: counts.refused + (result._tag === "Failure" ? 1 : 0)
          })
        )
      )
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromiseExit)
    const wrong: Array<string> = []
    if (Exit.isSuccess(exit)) {
      this.entries.workers += exit.value.workers
      this.entries.refused += exit.value.refused
    } else {
      const error = Cause.squash(exit.cause)
      this.entries.unreadableFiles++
      if (!(error instanceof FleetFileError || error instanceof WrongUsage))
        wrong.push(Cause.pretty(exit.cause).slice(0, 2000))
      else if (leaksOf(error.message).length > 0) wrong.push(`it says ${error.message}`)
    }
    const took = performance.now() - started
    if (took > readWithin) wrong.push(`it took ${Math.round(took / 1000)} seconds to read`)
    const polluted = Object.keys(Object.prototype)
    if (polluted.length > 0 || "polluted" in {}) wrong.push("every object has got a member more")
    return wrong
  }
}

/** The command: its exit status is one that it has, and what it prints is text. */
const byCommand = async (path: string, args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  await using muster = new Muster(args)
  const late = setTimeout(() => muster.signal("SIGKILL"), readWithin * 3)
  const code = await muster.exit()
  clearTimeout(late)
  const printed = muster.output + muster.errors
  const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/.exec(printed)
  return [
    ...(code === 0 || code === 1 || code === 2 ? [] : [`it ended with ${code}`]),
    ...(control === null ? [] : [`it printed the character ${JSON.stringify(control[0])}`]),
    ...leaksOf(printed.replaceAll(path, "FILE"))
  ]
}
