/**
 * A secret that was just made. It is here until the reader is done with it, and nowhere else.
 */
import { useEffect, useRef } from "preact/hooks"
import type { Answer } from "../api.ts"
import { notify } from "../notices.tsx"

export type NewSecret = Answer<"POST", "/v1/tokens">

interface SecretProps {
  readonly secret: NewSecret
  readonly onDone: () => void
}

export function Secret({ onDone, secret: { kind, name, token } }: SecretProps) {
  const title = useRef<HTMLHeadingElement>(null)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => title.current?.focus(), [])
  const copy = async () => {
    field.current?.select()
    try {
      await navigator.clipboard.writeText(token)
      notify("done", "The secret is copied.")
    } catch {
      // Only pages that came encrypted, or from this machine, may.
      notify(
        "problem",
        "The browser does not let this page copy. The secret is selected: copy it with the keyboard."
      )
    }
  }
  return (
    <section class="card secret" aria-labelledby="secret-title">
      <h2 id="secret-title" ref={title} tabIndex={-1}>
        The secret of {name}
      </h2>
      <p>
        It is shown this once, and not kept.{" "}
        {kind === "join" ? (
          <>
            A machine joins with it: <code>muster join</code>.
          </>
        ) : (
          <>
            Programs send it as <code>Authorization: Bearer</code>; the commands read it from the file that{" "}
            <code>MUSTER_TOKEN_FILE</code> names.
          </>
        )}
      </p>
      <div class="joined">
        <input ref={field} class="id" aria-label={`The secret of ${name}`} readOnly value={token} />
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
      </div>
      <button type="button" onClick={onDone}>
        Done
      </button>
    </section>
  )
}
