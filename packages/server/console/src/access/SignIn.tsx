/**
 * Asks for a token. The address stays as it is, so that signing in leads to where it points.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import { toProblem } from "../api.ts"
import { Brand } from "../Brand.tsx"
import { access, signIn } from "./session.ts"

const reasons = {
  new: undefined,
  ended: "Your session has ended. Sign in again to go on where you were.",
  left: "You have signed out."
} as const

/** What was wrong, in words for somebody with a token in their hand. */
const refusalText = (error: unknown): string => {
  const { detail, status, title } = toProblem(error)
  const text = detail ?? title
  return status === 401 ? `That token does not let you in. ${text}` : /[.!]$/.test(text) ? text : `${text}.`
}

export function SignIn() {
  const field = useRef<HTMLInputElement>(null)
  const [refusal, setRefusal] = useState<string | undefined>()
  const [isBusy, setBusy] = useState(false)
  useEffect(() => {
    document.title = "Sign in – Muster"
    field.current?.focus()
  }, [])
  const reason = access.value.state === "signed out" ? reasons[access.value.why] : undefined

  const submit = async () => {
    const token = field.current?.value.trim() ?? ""
    // What is said again is read out again only if it was gone meanwhile.
    setRefusal(undefined)
    if (token === "") {
      setTimeout(() => setRefusal("Enter a token."))
      field.current?.focus()
      return
    }
    setBusy(true)
    try {
      await signIn(token)
    } catch (error) {
      setRefusal(refusalText(error))
      setBusy(false)
      field.current?.select()
    }
  }

  return (
    <main id="main" class="sign-in">
      <form
        class="card"
        noValidate
        onSubmit={(event) => {
          // The page's policy lets no form be sent; this is a form for the sake of keys and password managers.
          event.preventDefault()
          if (!isBusy) void submit()
        }}
      >
        <p class="brand">
          <Brand />
        </p>
        <h1>Sign in</h1>
        {reason === undefined ? null : <p role="status">{reason}</p>}
        <div class="field">
          <label for="token">Token</label>
          <input
            ref={field}
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            autocapitalize="off"
            spellcheck={false}
            required
            aria-invalid={refusal !== undefined}
            aria-describedby={refusal === undefined ? "token-hint" : "token-refusal token-hint"}
          />
        </div>
        <p id="token-refusal" class="refusal" role="alert">
          {refusal}
        </p>
        <button type="submit" class="primary" aria-disabled={isBusy}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
        <p id="token-hint" class="none">
          An operator makes one with <code>muster tokens create</code>, or your identity provider gives you
          one.
        </p>
      </form>
    </main>
  )
}
