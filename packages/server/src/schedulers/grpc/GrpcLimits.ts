/**
 * What a scheduler over gRPC and its clients hold each other to.
 */
export const GrpcLimits = {
  /** Of the scheduler that `muster scheduler` serves. */
  server: {
    /** Bytes of a message that it takes: as many as gRPC servers elsewhere, and then some: a batch of large workers. */
    messageBytes: 16 * 2 ** 20,
    /** Calls at the same time on one connection; the client keeps the others back. */
    streams: 1024,
    /** Seconds without a call after which a connection is closed. */
    idleSeconds: 300,
    /** Seconds of silence after which a client is asked whether it is still there. */
    silentSeconds: 60,
    /** Seconds until it must have answered that. */
    answerSeconds: 20
  },
  /** Of Muster, which calls one. */
  client: {
    /** Bytes of a message that it takes: a page of a list with the largest workers that there can be. */
    messageBytes: 64 * 2 ** 20,
    /** Seconds of silence in a call after which the scheduler is asked whether it is still there. */
    silentSeconds: 20,
    /** Seconds until it must have answered that. */
    answerSeconds: 10
  }
} as const
