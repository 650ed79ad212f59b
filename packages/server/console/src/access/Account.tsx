/**
 * Who is signed in, until when, and the way out.
 */
import { useEffect, useRef } from "preact/hooks"
import { problemText, toProblem } from "../api.ts"
import { Time } from "../clock.tsx"
import { notify } from "../notices.tsx"
import { scopeText } from "./scope.ts"
import { isAuthenticationOn, signedIn, signOut } from "./session.ts"

export function Account() {
  const menu = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const close = () => {
      if (menu.current !== null) menu.current.open = false
    }
    const onKeyDown = ({ key }: KeyboardEvent) => {
      if (key !== "Escape" || menu.current?.open !== true) return
      close()
      menu.current.querySelector("summary")?.focus()
    }
    const onPointerDown = ({ target }: PointerEvent) => {
      if (target instanceof Node && menu.current?.contains(target) !== true) close()
    }
    addEventListener("keydown", onKeyDown)
    addEventListener("pointerdown", onPointerDown)
    return () => {
      removeEventListener("keydown", onKeyDown)
      removeEventListener("pointerdown", onPointerDown)
    }
  }, [])
  const session = signedIn.value
  if (session === undefined || !isAuthenticationOn.value) return null
  const leave = async () => {
    try {
      await signOut()
    } catch (error) {
      notify("problem", `You are still signed in. ${problemText(toProblem(error))}`)
    }
  }
  return (
    <details class="account" ref={menu}>
      <summary>
        <span class="unseen">Signed in as </span>
        <span class="name">{session.name}</span> <small>{session.role}</small>
      </summary>
      <div class="menu">
        <dl class="facts">
          <dt>Signed in as</dt>
          <dd>{session.name}</dd>
          <dt>Role</dt>
          <dd>{session.role}</dd>
          <dt>For</dt>
          <dd>{scopeText(session)}</dd>
          <dt>Session</dt>
          <dd>
            {session.expiresAt === null ? (
              "has no end"
            ) : (
              <>
                ends <Time at={session.expiresAt} as="distance" />, at <Time at={session.expiresAt} />
              </>
            )}
          </dd>
        </dl>
        <button type="button" onClick={() => void leave()}>
          Sign out
        </button>
      </div>
    </details>
  )
}
