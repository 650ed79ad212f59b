/**
 * Makes a token, or a join token for a machine.
 */
import type { ComponentChildren } from "preact"
import { useRef, useState } from "preact/hooks"
import { call, problemText, toProblem } from "../api.ts"
import type { NewSecret } from "./Secret.tsx"

const roles = {
  viewer: "viewer: looks",
  provisioner: "provisioner: registers and terminates workers",
  operator: "operator: everything"
} as const
type Role = keyof typeof roles

const lives = {
  token: ["90 days", "1 day", "30 days", "365 days", ""],
  join: ["1 hour", "1 day", "7 days"]
} as const

interface NewTokenProps {
  readonly onSecret: (secret: NewSecret) => void
}

export function NewToken({ onSecret }: NewTokenProps) {
  const form = useRef<HTMLFormElement>(null)
  const [kind, setKind] = useState<keyof typeof lives>("token")
  const [role, setRole] = useState<Role>("viewer")
  const [refusal, setRefusal] = useState<string | undefined>()

  const make = async (given: FormData): Promise<NewSecret> => {
    const text = (name: string) => {
      const value = given.get(name)
      return typeof value === "string" ? value.trim() : ""
    }
    const life = text("life") === "" ? undefined : { expiresIn: text("life") }
    if (kind === "join") {
      const worker = text("worker")
      return await call("POST", "/v1/join-tokens", {
        body: {
          ...(text("name") === "" ? undefined : { name: text("name") }),
          ...(text("namespace") === "" ? undefined : { namespace: text("namespace") }),
          ...(worker === "" ? undefined : { workerId: worker }),
          ...life
        }
      })
    }
    const namespaces = text("namespaces")
      .split(/[\s,]+/)
      .filter((name) => name !== "")
    return await call("POST", "/v1/tokens", {
      body: {
        name: text("name"),
        role,
        ...(namespaces.length === 0 ? undefined : { namespaces }),
        ...(given.get("own") === null ? undefined : { ownWorkers: true }),
        ...life
      }
    })
  }
  const submit = async () => {
    if (form.current === null) return
    setRefusal(undefined)
    try {
      onSecret(await make(new FormData(form.current)))
      form.current.reset()
      setRole("viewer")
    } catch (error) {
      setRefusal(problemText(toProblem(error)))
    }
  }
  return (
    <form
      ref={form}
      class="card token-form"
      aria-labelledby="new-token-title"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <h2 id="new-token-title">Make one</h2>
      <div class="fields">
        <Field name="Kind">
          <select
            value={kind}
            onChange={({ currentTarget }) => setKind(currentTarget.value === "join" ? "join" : "token")}
          >
            <option value="token">Token</option>
            <option value="join">Join token: one machine registers itself, once</option>
          </select>
        </Field>
        <Field name="Name">
          <input
            name="name"
            required={kind === "token"}
            maxLength={128}
            autocomplete="off"
            placeholder="what it is for"
          />
        </Field>
        {kind === "join" ? (
          <>
            <Field name="Namespace">
              <input name="namespace" autocomplete="off" placeholder="default" />
            </Field>
            <Field name="Worker">
              <input name="worker" autocomplete="off" placeholder="any new one" />
            </Field>
          </>
        ) : (
          <Field name="Role">
            <select
              value={role}
              onChange={({ currentTarget: { value } }) =>
                setRole(value === "operator" || value === "provisioner" ? value : "viewer")
              }
            >
              {Object.entries(roles).map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </Field>
        )}
        {kind === "token" && role === "provisioner" ? (
          <>
            <Field name="Namespaces">
              <input name="namespaces" autocomplete="off" placeholder="all" />
            </Field>
            <label class="check">
              <input name="own" type="checkbox" />
              Only workers that it registered
            </label>
          </>
        ) : null}
        <Field name="Good for">
          <select key={kind} name="life">
            {lives[kind].map((life) => (
              <option key={life} value={life}>
                {life === "" ? "ever" : life}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <p class="verdict-bad" role="alert">
        {refusal}
      </p>
      <div class="buttons">
        <button type="submit" class="primary">
          {kind === "join" ? "Create join token" : "Create token"}
        </button>
      </div>
    </form>
  )
}

function Field({ children, name }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{name}</span>
      {children}
    </label>
  )
}
