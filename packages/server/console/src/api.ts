/**
 * The service's routes, typed by the declaration that the service is made from: a path, a parameter or an answer that
 * is not as the service has it does not compile. Types only, so that nothing of the service is in the bundle.
 */
import type { Api } from "../../src/http/Api.ts"

type Groups = (typeof Api)["groups"]
type Endpoints = {
  [Name in keyof Groups]: Groups[Name]["endpoints"][keyof Groups[Name]["endpoints"]]
}[keyof Groups]

type Method = "GET" | "POST" | "DELETE"
type PathOf<M extends Method> = Extract<Endpoints, { readonly method: M }>["path"]
type EndpointAt<M extends Method, P> = Extract<Endpoints, { readonly method: M; readonly path: P }>

type Part<Name extends string, Schema> = [Schema] extends [never]
  ? { readonly [Key in Name]?: never }
  : Schema extends { readonly Type: infer Type }
    ? Partial<Type> extends Type
      ? { readonly [Key in Name]?: Type }
      : { readonly [Key in Name]: Type }
    : never

/** A body as it is in JSON. */
type BodyPart<Schema> = [Schema] extends [never]
  ? { readonly body?: never }
  : Schema extends { readonly Encoded: infer Encoded }
    ? { readonly body?: Encoded }
    : never

type Request<M extends Method, P> = Part<"params", EndpointAt<M, P>["~Params"]> &
  BodyPart<EndpointAt<M, P>["~Payload"]> &
  Part<"query", EndpointAt<M, P>["~Query"]> & { readonly signal?: AbortSignal }

/** What a route answers with, as it is in JSON. */
export type Answer<M extends Method, P extends string> = EndpointAt<M, P>["~Success"] extends {
  readonly schema: { readonly Encoded: infer Encoded }
}
  ? Encoded
  : never

export type WorkerStatus = Answer<"GET", "/v1/workers/:id">
export type WorkerQuery = NonNullable<Request<"GET", "/v1/workers">["query"]>
export type TimelineItem = Answer<"GET", "/v1/workers/:id/timeline">["items"][number]
export type Phase = WorkerStatus["phase"]
export type FailureType = NonNullable<WorkerStatus["lastError"]>["type"]

/** An RFC 9457 problem, or that there was no answer at all (`status` 0). */
export class Problem extends Error {
  override readonly name = "Problem"
  readonly status: number
  readonly title: string
  readonly detail: string | undefined

  constructor(status: number, title: string, detail?: string) {
    super(detail === undefined ? title : `${title}: ${detail}`)
    this.status = status
    this.title = title
    this.detail = detail
  }
}

export const toProblem = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(0, "The service cannot be reached")

let onUnauthenticated = () => {}

/** Calls this for each answer that says that nobody is signed in. */
export const whenUnauthenticated = (told: () => void): void => {
  onUnauthenticated = told
}

/** Every answer of the service passes here. */
export const noteStatus = ({ status }: Response): void => {
  if (status === 401) onUnauthenticated()
}

interface Parts {
  readonly body?: unknown
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

/**
 * Asks a route. Fails with a {@link Problem}; what was aborted by `signal` fails with its reason.
 *
 * @example call("GET", "/v1/workers/:id", { params: { id: "ci-1" } })
 */
export function call<M extends Method, P extends PathOf<M> & string>(
  method: M,
  path: P,
  request: Request<M, P>
): Promise<Answer<M, P>>
export async function call(
  method: Method,
  path: string,
  { body, params, query, signal }: Parts
): Promise<unknown> {
  const response = await fetch(urlOf(path, params, query), {
    method,
    headers: {
      accept: "application/json",
      ...(body === undefined ? undefined : { "content-type": "application/json" })
    },
    ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
    ...(signal === undefined ? undefined : { signal })
  }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw toProblem(error)
  })
  noteStatus(response)
  if (!response.ok) throw await problemOf(response)
  return response.status === 204 ? undefined : await response.json()
}

const problemOf = async (response: Response): Promise<Problem> => {
  const body: {
    readonly title?: string
    readonly detail?: string
    readonly errors?: ReadonlyArray<ItemError>
  } = await response.json().catch(() => ({}))
  const errors = body.errors?.map(({ message, path }) =>
    `${path.replace(/^query\./, "")}: ${message}`.replace(/^: /, "")
  )
  return new Problem(
    response.status,
    body.title ?? `The service answered ${response.status}`,
    body.detail ?? errors?.join("; ")
  )
}

interface ItemError {
  readonly path: string
  readonly message: string
}

/** A problem in words. */
export const problemText = ({ detail, title }: Problem): string =>
  detail === undefined ? title : `${title}. ${detail}`

/** Relative to the page, wherever a proxy has put it. */
const urlOf = (
  path: string,
  params: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, unknown>> = {}
): string => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) search.append(name, String(one))
    }
  }
  const filled = path.replace(/:([A-Za-z]+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ""))
  const text = search.toString()
  return `.${filled}${text === "" ? "" : `?${text}`}`
}
