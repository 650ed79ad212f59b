/**
 * Who is signed in, and what they may do. The credential is a cookie that no script can read; the token is sent once,
 * and not kept.
 */
import { computed, signal } from "@preact/signals"
import { allows, type Endpoint, permissions } from "../../../src/access/Permission.ts"
import { type Answer, call, type Problem, toProblem, whenUnauthenticated } from "../api.ts"

export type Session = Answer<"GET", "/v1/session">

type Access =
  /** Not yet; with `problem`, the question was not answered, and is asked again. */
  | { readonly state: "unknown"; readonly problem: Problem | undefined }
  /** `ended`: it was not the reader who ended it. */
  | { readonly state: "signed out"; readonly why: "new" | "ended" | "left" }
  | { readonly state: "signed in"; readonly session: Session }

export const access = signal<Access>({ state: "unknown", problem: undefined })

/** Where authentication is off, that is everybody. */
export const signedIn = computed(() =>
  access.value.state === "signed in" ? access.value.session : undefined
)

export const isAuthenticationOn = computed(() => signedIn.value?.authentication === "on")

/** Whether the service lets whoever is signed in use a route, by its rules; of single workers it says more. */
export const may = (endpoint: Endpoint): boolean => {
  const session = signedIn.value
  if (session === undefined) return false
  const { namespaces, ownWorkers, role } = session
  const identity =
    role === "machine"
      ? ({ kind: "machine", role: "provisioner" } as const)
      : ({ kind: "session", role } as const)
  return allows(
    { ...identity, namespaces: namespaces ?? undefined, ownWorkers, worker: undefined },
    permissions[endpoint]
  )
}

/** Milliseconds between two questions whether the session is still good, where nothing else asks. */
const checkedEvery = 15_000
const patience = 2000

const take = (session: Session): void => {
  if (JSON.stringify(session) !== JSON.stringify(signedIn.value)) {
    access.value = { state: "signed in", session }
  }
}

const leave = (why: "ended" | "left"): void => {
  const { state } = access.value
  if (state === "signed out") return
  access.value = { state: "signed out", why: state === "unknown" ? "new" : why }
}

const ask = async (): Promise<void> => {
  try {
    take(await call("GET", "/v1/session", {}))
  } catch (error) {
    const problem = toProblem(error)
    if (problem.status === 401 || access.value.state !== "unknown") return
    access.value = { state: "unknown", problem }
    setTimeout(() => void ask(), patience)
  }
}

/** Begins to ask who is signed in; another tab may sign in and out, too. */
export const watchSession = (): void => {
  whenUnauthenticated(() => leave("ended"))
  void ask()
  setInterval(() => {
    if (isAuthenticationOn.value && !document.hidden) void ask()
  }, checkedEvery)
  document.addEventListener("visibilitychange", () => {
    const isOpen = access.value.state === "signed out" || isAuthenticationOn.value
    if (!document.hidden && isOpen) void ask()
  })
}

/** Fails with a {@link Problem}. */
export const signIn = async (token: string): Promise<void> => {
  try {
    take(await call("POST", "/v1/session", { body: { token } }))
  } catch (error) {
    // Meanwhile the service may have been started without authentication.
    if (toProblem(error).status === 400) await ask()
    throw error
  }
}

/** Fails with a {@link Problem}; then the session is as it was. */
export const signOut = async (): Promise<void> => {
  await call("DELETE", "/v1/session", {})
  leave("left")
}
