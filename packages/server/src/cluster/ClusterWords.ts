/**
 * What is to be said of a cluster, for people: in the terminal, in the overview, in the console. The console has it in
 * its bundle, so it needs nothing of the service.
 */

interface Server {
  readonly address?: string | null | undefined
  readonly url: string
  readonly state: "up" | "silent" | "lost" | "stopping"
  readonly partitions: ReadonlyArray<number>
}

interface View {
  readonly servers: ReadonlyArray<Server>
  readonly unowned: ReadonlyArray<number>
}

/** `0-10, 15`; of ascending numbers. */
export const ranges = (partitions: ReadonlyArray<number>): string => {
  const found: Array<{ readonly first: number; last: number }> = []
  for (const partition of partitions) {
    const latest = found.at(-1)
    if (latest !== undefined && partition === latest.last + 1) latest.last = partition
    else found.push({ first: partition, last: partition })
  }
  return found.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(", ")
}

/** What a server is called: where the others reach it, or where it listens, if it is alone. */
export const nameOf = ({ address, url }: Pick<Server, "address" | "url">): string => address ?? url

/** Those that nobody looks after, ascending: that have no server, or still the one that is lost. */
export const unattended = ({ servers, unowned }: View): ReadonlyArray<number> => {
  const found = new Set(unowned)
  for (const { partitions, state } of servers) {
    if (state === "lost") for (const partition of partitions) found.add(partition)
  }
  return Array.from(found).toSorted((left, right) => left - right)
}

/** Those that went away without a word, unless another one was started at their address since. */
export const lostServers = <A extends Server>(servers: ReadonlyArray<A>): ReadonlyArray<A> =>
  servers.filter(
    (server) =>
      server.state === "lost" &&
      !servers.some(({ address, state }) => state === "up" && address === server.address)
  )

/** "Partition 3 has", "Partitions 0-10, 15 have". */
const subject = (partitions: ReadonlyArray<number>): string =>
  partitions.length === 1 ? `Partition ${ranges(partitions)} has` : `Partitions ${ranges(partitions)} have`

/** What it means that nobody looks after these; `undefined`: there are none. */
export const unattendedText = (partitions: ReadonlyArray<number>): string | undefined =>
  partitions.length === 0
    ? undefined
    : `${subject(partitions)} no server: changes of their workers are accepted, and carried out once a server looks after them.`

/** What there is to say of servers that should be there. */
export const absenceTexts = (servers: ReadonlyArray<Server>): ReadonlyArray<string> => [
  ...servers
    .filter(({ state }) => state === "silent")
    .map(
      (server) =>
        `${nameOf(server)} is silent.` +
        (server.partitions.length === 0
          ? ""
          : ` If it stays so, other servers take over what it looks after: ${ranges(server.partitions)}.`)
    ),
  ...lostText(lostServers(servers).map(nameOf))
]

const lostText = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (names.length === 0) return []
  if (names.length === 1) return [`${names[0]} is lost: it ended without a word, or cannot reach the store.`]
  const all = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
  return [`${all} are lost: they ended without a word, or cannot reach the store.`]
}
