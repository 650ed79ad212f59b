import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { version } from "../version.ts"
import { Cluster } from "./Cluster.ts"
import { ranges } from "./ClusterWords.ts"
import { ListeningUrl } from "./ListeningUrl.ts"

const alone = () => Cluster.layerAlone.pipe(Layer.provideMerge(Layer.fresh(ListeningUrl.layer)))

describe("a server that is alone", () => {
  it.effect("looks after everything, once it is known where it listens", () =>
    Effect.gen(function* () {
      const { view } = yield* Cluster
      const asked = yield* Effect.forkChild(view)
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(asked.pollUnsafe())
      yield* (yield* ListeningUrl).tell("http://127.0.0.1:7070")
      const { clustered, servers, unowned } = yield* Fiber.join(asked)
      const [{ id, partitions, ...server } = {}] = servers
      assert.isFalse(clustered)
      assert.lengthOf(servers, 1)
      assert.deepStrictEqual(unowned, [])
      assert.strictEqual(ranges(partitions ?? []), "0-31")
      assert.match(id ?? "", /^[0-9a-f-]{36}$/)
      assert.deepStrictEqual(server, {
        address: undefined,
        url: "http://127.0.0.1:7070",
        version,
        startedAt: 0,
        seenAt: 3000,
        state: "up",
        isThis: true
      })
    }).pipe(Effect.provide(alone()))
  )

  it.effect("is another one with each start", () =>
    Effect.gen(function* () {
      const idOf = Effect.gen(function* () {
        yield* (yield* ListeningUrl).tell("http://127.0.0.1:7070")
        return (yield* (yield* Cluster).view).servers[0]?.id
      })
      const ids = yield* Effect.all([idOf, idOf].map((of) => Effect.provide(of, alone(), { local: true })))
      assert.notStrictEqual(ids[0], ids[1])
    })
  )
})
