/**
 * What `muster doctor` looks at on the machine: Node, open files, and the disk and the folder of a store.
 */
import { Effect } from "effect"
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { type Finding, ok, problem, warning } from "./Finding.ts"

const oldestNode = 24

export const checkNode = Effect.sync((): ReadonlyArray<Finding> => {
  const [major = 0] = process.versions.node.split(".").map(Number)
  return [
    major >= oldestNode
      ? ok(`Node ${process.versions.node}`)
      : problem(`Node ${process.versions.node} is too old`, `Install Node ${oldestNode} or newer.`)
  ]
})

/** One for each request that may be open, and some. */
const enoughFiles = 10_240

/** Linux tells; elsewhere nothing is said. */
export const checkOpenFiles = Effect.sync((): ReadonlyArray<Finding> => {
  const limits = existsSync("/proc/self/limits") ? readFileSync("/proc/self/limits", "utf8") : ""
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
  if (soft === undefined) return [ok("this system does not say how many files may be open")]
  // Node raises its own limit as far as it may.
  const most = hard === "unlimited" ? Infinity : Number(hard)
  return [
    most >= enoughFiles
      ? ok(`up to ${hard} files may be open`)
      : warning(
          `only ${hard} files may be open, and each open request is one`,
          `Allow ${enoughFiles}: LimitNOFILE= in a systemd unit, or ulimit -n.`
        )
  ]
})

const mib = 2 ** 20
/** The write-ahead log alone may take 64 MiB. */
const tooLittle = 128 * mib
const little = 1024 * mib

const inWords = (bytes: number): string =>
  bytes >= 1024 * mib ? `${(bytes / 1024 / mib).toFixed(1)} GiB` : `${Math.floor(bytes / mib)} MiB`

/** The nearest folder of a path that there is. */
const existing = (path: string): string => (existsSync(path) ? path : existing(dirname(path)))

/** What is free where a store lies. */
export const checkDisk = (store: string) =>
  Effect.sync((): ReadonlyArray<Finding> => {
    const folder = existing(dirname(resolve(store)))
    const { bavail, bsize } = statfsSync(folder)
    const free = bavail * bsize
    const message = `${inWords(free)} are free in ${folder}`
    const fix = "Make room: the store and its write-ahead log need it, and stop taking changes without."
    if (free < tooLittle) return [problem(message, fix)]
    return [free < little ? warning(message, fix) : ok(message)]
  })

/** Who may read and write the folder of a store. */
export const checkFolder = (store: string) =>
  Effect.sync((): ReadonlyArray<Finding> => {
    const folder = dirname(resolve(store))
    if (!existsSync(folder)) {
      const above = existing(folder)
      return [
        mayWrite(above)
          ? ok(`${folder} will be made`)
          : problem(
              `${folder} cannot be made`,
              `Let the user of the service write to ${above}, or name another store.`
            )
      ]
    }
    const { mode } = statSync(folder)
    if (!mayWrite(folder)) {
      return [
        problem(
          `this user may not write to ${folder}`,
          "Run this as the user of the service, or let that user write there."
        )
      ]
    }
    return [
      (mode & 0o022) === 0
        ? ok(`${folder} can be written, by its owner alone`)
        : warning(`others may write to ${folder}, and so put another store there`, `chmod go-w ${folder}`)
    ]
  })

const mayWrite = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
