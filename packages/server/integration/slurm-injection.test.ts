/**
 * What is handed to `scontrol` of a worker that wants to be more than one word of it: a program that writes down its
 * arguments stands in for Slurm.
 */
import { assert, describe, it } from "@effect/vitest"
import { SchedulerPort, Worker, WorkerCapabilities, WorkerId, WorkerMetadata } from "@muster/core"
import { Effect } from "effect"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import * as Slurm from "../src/schedulers/Slurm.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-slurm-injection-"))
afterAll(() => rmSync(folder, { recursive: true }))
const calls = join(folder, "calls")
const loot = join(folder, "loot")

/** Ends each argument with a NUL and each call with two. */
const scontrol = (): string => {
  const path = join(folder, "scontrol")
  const script = `#!/bin/sh
case "$*" in
  ping) echo "Slurmctld(primary) at here is UP" ;;
  "show config") printf 'PrivateData = cloud\\nSelectType = select/cons_tres\\nGresTypes = gpu\\n' ;;
  *show*|--version) : ;;
  *) printf '%s\\0' "$@" >> ${calls}; printf '\\0' >> ${calls} ;;
esac
`
  writeFileSync(path, script)
  chmodSync(path, 0o755)
  return path
}

const hostile = [
  "a b",
  "a,b",
  'a"b',
  "a'b",
  "a\nNodeName=other",
  "a\r\nState=DOWN",
  "a\tb",
  `$(touch ${loot})`,
  `\`touch ${loot}\``,
  `; touch ${loot} #`,
  `| touch ${loot}`,
  "--help",
  "-M other",
  "a=b State=DOWN",
  "[1-100]",
  "a\\",
  "#comment",
  "%s",
  "é\u202e\u2028漢",
  "../../etc"
]

describe("a worker's labels, tags and namespace on scontrol's command line", () => {
  it.live("are each one word of one argument, whatever is in them, and no shell reads them", () =>
    Effect.gen(function* () {
      const port = yield* SchedulerPort
      const labels = Object.fromEntries(hostile.map((text) => [text, text]))
      const worker = Worker.make({
        id: WorkerId.make("ci-1"),
        capabilities: WorkerCapabilities.make({
          cpuCores: 1,
          memoryMb: 1,
          customResources: { "gpu:a,License=x": 1, "gpu State=DOWN": 1 }
        }),
        metadata: WorkerMetadata.make({ namespace: hostile.join("+").slice(0, 200), labels, tags: hostile })
      })
      yield* port.register(worker, { generation: 1 })
      const all = readFileSync(calls, "utf8").split("\0\0").slice(0, -1)
      assert.isAtLeast(all.length, 2)
      for (const call of all) {
        const [verb, ...args] = call.split("\0")
        assert.oneOf(verb, ["create", "update"])
        for (const arg of args)
          assert.match(arg, /^(?:NodeName|CPUs|RealMemory|State|Feature|Gres|Extra)=[!-~]*$/)
        assert.strictEqual(new Set(args.map((arg) => arg.split("=")[0])).size, args.length)
        const [features = ""] = args.filter((arg) => arg.startsWith("Feature="))
        for (const feature of features
          .slice("Feature=".length)
          .split(",")
          .filter((one) => one !== "")) {
          assert.match(feature, /^[\w.%=@+/-]+$/)
        }
        assert.isFalse(args.some((arg) => arg.startsWith("Gres=")))
      }
      assert.isFalse(existsSync(loot))
    }).pipe(Effect.provide(Slurm.layer({ scontrol: scontrol() })))
  )

  it("never are the name of a node that Slurm has a meaning for: an id is a name, or none", () => {
    for (const text of [...hostile, "", "a,b", "a[1-2]"])
      assert.throws(() => WorkerId.make(text.trim() === "a" ? "" : text))
  })
})
