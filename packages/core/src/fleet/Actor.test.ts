import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result, type Scope } from "effect"
import { EmbeddedScheduler } from "../EmbeddedScheduler.ts"
import { Worker } from "../Worker.ts"
import { type Actor, CurrentActor } from "./Actor.ts"
import type { AuditEntry } from "./Audit.ts"
import { Fleet } from "./Fleet.ts"
import { FleetStore } from "./FleetStore.ts"
import { MemoryFleetStore } from "./MemoryFleetStore.ts"

const actor = (id: string, changes: Partial<Actor> = {}): Actor => ({
  id,
  name: id,
  role: "provisioner",
  address: "192.0.2.1",
  mayChange: () => true,
  takesOver: false,
  ...changes
})

/** May change what is its own, and provision what nobody has. */
const owner = (id: string, takesOver = false) =>
  actor(id, { mayChange: (known) => takesOver || known === undefined || known.owner === id, takesOver })

const as = (who: Actor) => Effect.provideService(CurrentActor, who)

const said = { saidWhenProvisioned: false }

/** A fleet, and all that its store was told to write down. */
const withFleet = (
  behaviour: string,
  body: (
    fleet: Fleet["Service"],
    audits: ReadonlyArray<AuditEntry>
  ) => Effect.Effect<void, unknown, Scope.Scope>
) =>
  it.effect(behaviour, () =>
    Effect.gen(function* () {
      const store = yield* MemoryFleetStore.make
      const audits: Array<AuditEntry> = []
      const audited = FleetStore.of({
        ...store,
        modify: (read, decide) =>
          store.modify(read, (found) => {
            const decision = decide(found)
            audits.push(...(decision.audits ?? []))
            return decision
          })
      })
      const context = yield* Layer.build(
        Fleet.layer.pipe(
          Layer.provide(Layer.succeed(FleetStore, audited)),
          Layer.provide(EmbeddedScheduler.layer)
        )
      )
      yield* body(Context.get(context, Fleet), audits)
    }).pipe(Effect.scoped)
  )

const worker = (id: string) => Worker.decode({ id, capabilities: { cpuCores: 1, memoryMb: 100 } })

describe("an actor", () => {
  withFleet("changes nothing that is not its own, whatever the way", (fleet) =>
    Effect.gen(function* () {
      const a = yield* worker("a")
      yield* as(owner("one"))(fleet.want(a, said))
      const other = as(owner("other"))
      const refusals: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
        fleet.want(a, said),
        fleet.terminate(a.id),
        fleet.drop(a.id, {}),
        fleet.ready(a.id, {}),
        fleet.check(a.id),
        fleet.hasten(a.id),
        fleet.heartbeat(a.id),
        fleet.retry(a.id),
        fleet.giveUp(a.id)
      ]
      for (const change of refusals) {
        const error = yield* Effect.flip(other(change))
        assert.strictEqual(error._tag, "NotPermitted")
      }
      const [mine, b] = yield* other(
        fleet.wantAll([
          { worker: a, ...said },
          { worker: yield* worker("b"), ...said }
        ])
      )
      assert.isTrue(mine !== undefined && Result.isFailure(mine) && mine.failure._tag === "NotPermitted")
      assert.isTrue(b !== undefined && Result.isSuccess(b))
    })
  )

  withFleet("keeps what it has provisioned while that lives, and no longer", (fleet) =>
    Effect.gen(function* () {
      const a = yield* worker("a")
      const ownerOf = Effect.map(fleet.get(a.id), (record) =>
        record._tag === "Some" ? record.value.owner : ""
      )
      yield* as(actor("one"))(fleet.want(a, said))
      yield* as(actor("operator"))(
        fleet.want(yield* Worker.decode({ ...a, metadata: { labels: { x: "1" } } }), said)
      )
      assert.strictEqual(yield* ownerOf, "one")
      yield* as(owner("two", true))(fleet.want(a, said))
      assert.strictEqual(yield* ownerOf, "two")
      yield* fleet.terminate(a.id)
      yield* as(actor("three"))(fleet.want(a, said))
      assert.strictEqual(yield* ownerOf, "three")
      yield* fleet.terminate(a.id)
      yield* fleet.want(a, said)
      assert.isUndefined(yield* ownerOf)
    })
  )

  withFleet(
    "is written down with what it did and what it was refused, and with nothing that changed nothing",
    (fleet, audits) =>
      Effect.gen(function* () {
        const [a, b] = [yield* worker("a"), yield* worker("b")]
        const one = as(owner("one"))
        yield* one(
          fleet.wantAll([
            { worker: a, ...said },
            { worker: b, ...said }
          ])
        )
        yield* one(fleet.want(a, said))
        yield* one(fleet.heartbeat(a.id))
        yield* Effect.ignore(as(owner("other"))(fleet.terminate(a.id)))
        yield* one(fleet.terminate(a.id))
        yield* one(fleet.terminate(a.id))
        yield* one(fleet.audit("token.create", "done", "of a test"))
        // The application's own.
        yield* fleet.terminate(b.id)
        const { generation = 0 } = audits[0]?.workers[0] ?? {}
        assert.isAbove(generation, 0)
        assert.deepStrictEqual(
          audits.map(({ action, actor, detail, outcome, workers }) => [
            actor.id,
            action,
            outcome,
            workers.map(({ id }) => id).join(),
            detail
          ]),
          [
            ["one", "worker.register", "done", "a,b", undefined],
            ["other", "worker.unregister", "refused", "a", undefined],
            ["one", "worker.unregister", "done", "a", undefined],
            ["one", "token.create", "done", "", "of a test"]
          ]
        )
        assert.deepInclude(audits[0]?.actor, { name: "one", role: "provisioner", address: "192.0.2.1" })
      })
  )
})
