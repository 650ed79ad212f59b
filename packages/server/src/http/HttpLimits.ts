/**
 * The bounds of the HTTP API: what a request may be at most, so that memory and time per request have a known
 * largest value. They are part of the documentation in `docs/http-api.md`.
 */
export const HttpLimits = {
  /** Bytes of one worker or event: above the largest worker that fits `WorkerLimits` in plain ASCII. */
  itemBytes: 1024 * 1024,
  /** Bytes of a JSON array of workers or events. */
  arrayBytes: 16 * 1024 * 1024,
  /** Members of a JSON array of workers or events. */
  arrayItems: 10_000,
  /** Bytes of one line of NDJSON, without its end; the stream itself has no bound. */
  lineBytes: 1024 * 1024,
  /** Bytes of one line of an export: the largest worker with every character escaped, and what stands beside it. */
  exportLineBytes: 4 * 1024 * 1024,
  /** Bytes of a request's first line and headers together. */
  headerBytes: 16 * 1024,
  /** Seconds until a body that is not streamed must be there. */
  bodySeconds: 30,
  /** Seconds until a TLS connection must have agreed on its keys. */
  handshakeSeconds: 10,
  /** Longest `Prefer: wait`, in seconds; a longer one is cut to it. */
  waitSeconds: 60,
  /** Members of a batch that are taken in at the same time: as many as the fleet commits together. */
  itemsAtOnce: 256,
  /** Members of a batch that are decoded before other requests get a turn. */
  itemsDecoded: 64,
  /** Members of a batch that wait for their outcome at the same time. */
  waitingItems: 256,
  /** Items on one page of a listing, unless asked for otherwise. */
  pageDefault: 100,
  /** Most items on one page. */
  pageMaximum: 1000,
  /** Characters of a cursor: above one with the longest worker id in it. */
  cursorCharacters: 400,
  /** Characters of `search`: the longest id. */
  searchCharacters: 253,
  /** Most workers that `offset` passes over. */
  offsetMaximum: 10_000_000,
  /** Most `label` filters of one listing. */
  labelFilters: 32,
  /** Namespaces that a token names. */
  tokenNamespaces: 100,
  /** Hours that a session of the console lasts. */
  sessionHours: 12,
  /** Streams of events that are followed at the same time. */
  followers: 1000,
  /** Streams of events that one client follows at the same time. */
  followersPerClient: 100,
  /** Seconds after which a stream of events that has nothing to say sends a comment, to show that it lives. */
  keepAliveSeconds: 15,
  /** Bytes of a request's target, its path and query. */
  targetBytes: 8 * 1024,
  /** Parameters of a query. */
  queryParameters: 64,
  /** Header fields of a request. */
  headerFields: 128,
  /** Seconds until the headers of a request must be there, counted from its first byte or the connection's start. */
  headerSeconds: 30,
  /** Levels of JSON inside each other. */
  jsonDepth: 64,
  /** Wrong credentials from one network in a minute, before nothing of it is looked at. */
  failuresPerMinute: 20,
  /** Clients of which it is known how much they have asked for. */
  clients: 100_000,
  /** Connections that are open at the same time. */
  connections: 20_000,
  /** Requests on one connection that are not answered yet; above it the connection is closed. */
  pipelined: 64,
  /** Seconds after which a connection on which nothing moves is closed. */
  idleSeconds: 120
} as const
