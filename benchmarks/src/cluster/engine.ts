/** What takes jobs in durably and carries each of them out by one call of a scheduler: servers of Muster's, or a queue. */

export interface Engine extends AsyncDisposable {
  /** The processes in which its own code runs. */
  readonly pids: ReadonlyArray<number>
  /** Processor time of whoever hands over and is no part of {@link pids}; in seconds, since it was started. */
  readonly clientSeconds: () => number
  /** Hands over so many more; resolves when the last is in the database. */
  readonly accept: (count: number) => Promise<void>
  /** Resolves when all that was handed over is carried out, and that is in the database. */
  readonly done: () => Promise<void>
}

/** Where an engine keeps its jobs, and where it carries them out. */
export interface Place {
  /** The URL of an empty database. */
  readonly store: string
  /** Host and port of a scheduler that speaks `muster.scheduler.v1`. */
  readonly scheduler: string
}

export interface Contender {
  readonly name: string
  readonly start: (place: Place) => Promise<Engine>
}
