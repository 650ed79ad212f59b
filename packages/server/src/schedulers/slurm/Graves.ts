/**
 * The generations of unregistrations, since Slurm keeps nothing of a node that is deleted. They are remembered as long
 * as this process lives, the latest 100,000 of them for certain.
 */
import type { WorkerId } from "@muster/core"

export class Graves {
  // When the recent half is full, the older one is dropped whole.
  private recent = new Map<WorkerId, number>()
  private older = new Map<WorkerId, number>()
  private readonly limit: number

  constructor(limit = 100_000) {
    this.limit = limit
  }

  bury(workerId: WorkerId, generation: number): void {
    this.recent.set(workerId, Math.max(generation, this.generation(workerId)))
    if (this.recent.size < this.limit) return
    this.older = this.recent
    this.recent = new Map()
  }

  /** That of the worker's latest unregistration; 0 where none is remembered. */
  generation(workerId: WorkerId): number {
    return this.recent.get(workerId) ?? this.older.get(workerId) ?? 0
  }
}
