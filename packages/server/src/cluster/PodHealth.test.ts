import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer } from "effect"
import * as K8sHttpClient from "effect/cluster/K8sHttpClient"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as PlatformError from "effect/PlatformError"
import { TestClock } from "effect/testing"
import { podHealthLayer } from "./PodHealth.ts"

const account = "/var/run/secrets/kubernetes.io/serviceaccount"
const selector = "app.kubernetes.io/name=muster"

/** A pod that is not ready, as all of them are while the database is away. */
const podAt = (podIP: string) => ({
  status: {
    phase: "Running",
    podIP,
    hostIP: "192.168.0.1",
    conditions: [
      { type: "Initialized", status: "True", lastTransitionTime: "2026-01-31T12:00:00Z" },
      { type: "Ready", status: "False", lastTransitionTime: "2026-01-31T12:30:00Z" }
    ]
  }
})

/** The API of a Kubernetes; `addresses`: those of the pods that run, or a status. */
class Kubernetes {
  addresses: ReadonlyArray<string> | 403 | "nothing" = []
  readonly requests: Array<{ readonly url: string; readonly authorization: string | undefined }> = []

  private readonly client = HttpClient.make((request, url) =>
    Effect.suspend(() => {
      this.requests.push({ url: decodeURIComponent(url.href), authorization: request.headers.authorization })
      const { addresses } = this
      if (addresses === "nothing") return Effect.never
      const answer =
        addresses === 403
          ? new Response("pods is forbidden", { status: 403 })
          : Response.json({ items: addresses.map(podAt) })
      return Effect.succeed(HttpClientResponse.fromWeb(request, answer))
    })
  )

  /** `livesInStore`: by what the store says; `files`: what Kubernetes puts into a pod. */
  health(livesInStore: (host: string) => boolean, files: Readonly<Record<string, string>>) {
    const system = FileSystem.layerNoop({
      readFileString: (path) => {
        const text = files[path]
        return text === undefined
          ? Effect.fail(
              PlatformError.systemError({
                _tag: "NotFound",
                module: "FileSystem",
                method: "readFile",
                pathOrDescriptor: path
              })
            )
          : Effect.succeed(text)
      }
    })
    return podHealthLayer(({ host }) => Effect.succeed(livesInStore(host)), selector).pipe(
      Layer.provide(K8sHttpClient.layer),
      Layer.provide([system, Layer.succeed(HttpClient.HttpClient, this.client)])
    )
  }
}

const inPod = { [`${account}/namespace`]: "fleet\n", [`${account}/token`]: "a token\n" }

const ask = (host: string) =>
  Effect.flatMap(RunnerHealth.RunnerHealth, ({ isAlive }) => isAlive(RunnerAddress.make(host, 34_431)))

/** Whether a server lives, asked after the last answer has become too old, and waited for as long as it may take. */
const lives = (host: string) =>
  Effect.gen(function* () {
    yield* TestClock.adjust("11 seconds")
    const answer = yield* Effect.forkChild(ask(host))
    yield* TestClock.adjust("2 seconds")
    return yield* Fiber.join(answer)
  })

describe("the health of a server by its pod", () => {
  it.effect(
    "asks for the running pods of its own namespace that the selector chooses, with its token",
    () => {
      const kubernetes = new Kubernetes()
      return Effect.gen(function* () {
        yield* lives("10.0.0.1")
        assert.deepStrictEqual(kubernetes.requests, [
          {
            url:
              "https://kubernetes.default.svc/api/v1/namespaces/fleet/pods" +
              `?fieldSelector=status.phase=Running&labelSelector=${selector}`,
            authorization: "Bearer a token"
          }
        ])
      }).pipe(Effect.provide(kubernetes.health(() => true, inPod)))
    }
  )

  it.effect("finds a server dead whose pod is gone, and not one whose pod is not ready", () => {
    const kubernetes = new Kubernetes()
    return Effect.gen(function* () {
      kubernetes.addresses = ["10.0.0.1", "10.0.0.2"]
      assert.isTrue(yield* lives("10.0.0.2"))
      kubernetes.addresses = ["10.0.0.1"]
      assert.isFalse(yield* lives("10.0.0.2"))
      assert.isTrue(yield* lives("10.0.0.1"))
      kubernetes.addresses = ["10.0.0.1", "10.0.0.2"]
      assert.isTrue(yield* lives("10.0.0.2"))
    }).pipe(Effect.provide(kubernetes.health(() => true, inPod)))
  })

  it.effect("believes a server that lives before Kubernetes knows that its pod runs", () => {
    const kubernetes = new Kubernetes()
    return Effect.gen(function* () {
      kubernetes.addresses = ["10.0.0.1"]
      assert.isTrue(yield* lives("10.0.0.3"))
    }).pipe(Effect.provide(kubernetes.health(() => true, inPod)))
  })

  it.effect("finds a server dead that the store has not heard of, whatever its pod does", () => {
    const kubernetes = new Kubernetes()
    return Effect.gen(function* () {
      kubernetes.addresses = ["10.0.0.1", "10.0.0.2"]
      assert.isTrue(yield* lives("10.0.0.1"))
      assert.isFalse(yield* lives("10.0.0.2"))
    }).pipe(Effect.provide(kubernetes.health((host) => host === "10.0.0.1", inPod)))
  })

  describe("goes by the store alone", () => {
    const livesInStore = (host: string) => host === "10.0.0.1"
    const both = Effect.all([lives("10.0.0.1"), lives("10.0.0.2")])

    it.effect.each([403, "nothing"] as const)("where the API answers %s", (answer) => {
      const kubernetes = new Kubernetes()
      return Effect.gen(function* () {
        kubernetes.addresses = ["10.0.0.1"]
        assert.deepStrictEqual(yield* both, [true, false])
        kubernetes.addresses = answer
        assert.deepStrictEqual(yield* both, [true, false])
      }).pipe(Effect.provide(kubernetes.health(livesInStore, inPod)))
    })

    it.effect("where there is nothing to ask the API with", () => {
      const kubernetes = new Kubernetes()
      return Effect.gen(function* () {
        assert.deepStrictEqual(yield* both, [true, false])
        assert.deepStrictEqual(kubernetes.requests, [])
      }).pipe(Effect.provide(kubernetes.health(livesInStore, {})))
    })
  })
})
