/** A folder for everything that a run stores, and what the disk under it takes to flush. */
import {
  chmodSync,
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { summarize } from "../statistics.ts"

const temporaryInMemory = 0x01021994

export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "muster-bench-"))

  constructor() {
    // PostgreSQL runs as another user.
    chmodSync(this.path, 0o755)
    process.on("exit", this.remove)
  }

  get isInMemory(): boolean {
    return statfsSync(this.path).type === temporaryInMemory
  }

  /** Milliseconds to append a block to a file and have it on disk. */
  flushMillis(): number {
    const file = openSync(join(this.path, "flush"), "a")
    const block = Buffer.alloc(4096)
    const times = Array.from({ length: 100 }, () => {
      const startedAt = performance.now()
      writeSync(file, block)
      fdatasyncSync(file)
      return performance.now() - startedAt
    })
    closeSync(file)
    return summarize(times).median
  }

  [Symbol.dispose](): void {
    process.off("exit", this.remove)
    this.remove()
  }

  private readonly remove = (): void => rmSync(this.path, { recursive: true, force: true })
}
