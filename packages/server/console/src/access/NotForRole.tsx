/**
 * Stands where a view would be that whoever is signed in may not see.
 */
import { useState } from "preact/hooks"
import { go, toWorker } from "../route.ts"
import { Empty } from "../states.tsx"
import { scopeText } from "./scope.ts"
import { may, signedIn } from "./session.ts"

export function NotForRole() {
  const [id, setId] = useState("")
  const session = signedIn.value
  if (session === undefined) return null
  return (
    <section class="card">
      <Empty title="This view is not for your role">
        <span>
          You are signed in as {session.name}, a {session.role} for {scopeText(session)}.
          {may("listWorkers")
            ? " It is for operators."
            : " What shows the whole fleet is for those who may see all of it."}
        </span>
        {may("listWorkers") || !may("getWorker") ? null : (
          <form
            class="joined"
            onSubmit={(event) => {
              event.preventDefault()
              if (id !== "") go(toWorker(id))
            }}
          >
            <input
              aria-label="Id of a worker of yours"
              placeholder="id of a worker of yours"
              value={id}
              onInput={({ currentTarget }) => setId(currentTarget.value.trim())}
            />
            <button type="submit">Open</button>
          </form>
        )}
      </Empty>
    </section>
  )
}
