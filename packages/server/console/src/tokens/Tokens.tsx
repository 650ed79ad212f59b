/**
 * The credentials that were given out: who may do what, for how long, and when each was last used.
 */
import { useState } from "preact/hooks"
import { scopeText } from "../access/scope.ts"
import { type Answer, call, problemText, toProblem } from "../api.ts"
import { now, Time } from "../clock.tsx"
import { confirm } from "../Confirm.tsx"
import { notify } from "../notices.tsx"
import { useResource } from "../resource.ts"
import { toWorker } from "../route.ts"
import { Empty, Loaded } from "../states.tsx"
import { count } from "../text.ts"
import { NewToken } from "./NewToken.tsx"
import { type NewSecret, Secret } from "./Secret.tsx"
import { ScrollTable } from "../ScrollTable.tsx"

type TokenPage = Answer<"GET", "/v1/tokens">
type Token = TokenPage["items"][number]
type Kind = Token["kind"]

/** As many are read. */
const most = 1000

const lists: Readonly<Record<string, ReadonlyArray<Kind>>> = {
  "Tokens and join tokens": ["token", "join"],
  "Machines' credentials": ["machine"],
  "Sessions of the console": ["session"]
}
const [firstList = ""] = Object.keys(lists)

const kindNames: Readonly<Record<Kind, string>> = {
  token: "token",
  join: "join token",
  machine: "machine",
  session: "session"
}

export function Tokens() {
  const [list, setList] = useState(firstList)
  const [secret, setSecret] = useState<NewSecret | undefined>()
  const tokens = useResource<TokenPage>(
    `tokens ${list}`,
    (signal) => call("GET", "/v1/tokens", { query: { kind: lists[list] ?? [], limit: most }, signal }),
    { every: 15_000 }
  )
  const onSecret = (secret: NewSecret) => {
    setSecret(secret)
    tokens.refresh()
  }
  return (
    <>
      {secret === undefined ? null : (
        <Secret key={secret.token} secret={secret} onDone={() => setSecret(undefined)} />
      )}
      <NewToken onSecret={onSecret} />
      <section class="card" aria-labelledby="tokens-title">
        <div class="bar">
          <h2 id="tokens-title">Given out</h2>
          <label class="field">
            <span class="unseen">Kind</span>
            <select value={list} onChange={({ currentTarget }) => setList(currentTarget.value)}>
              {Object.keys(lists).map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </div>
        <Loaded resource={tokens} what="tokens">
          {({ items, nextCursor }) =>
            items.length === 0 ? (
              <Empty title="None" />
            ) : (
              <>
                <TokenTable tokens={items} onSecret={onSecret} onChange={tokens.refresh} />
                {nextCursor === null ? null : (
                  <p class="none">
                    {count(most)} are shown; <code>muster tokens list</code> shows all.
                  </p>
                )}
              </>
            )
          }
        </Loaded>
      </section>
    </>
  )
}

interface Handlers {
  readonly onSecret: (secret: NewSecret) => void
  readonly onChange: () => void
}

function TokenTable({ tokens, ...handlers }: Handlers & { readonly tokens: ReadonlyArray<Token> }) {
  // Those that are still good first, the latest of them before the others.
  const sorted = tokens.toSorted(
    (a, b) => Number(isPast(a)) - Number(isPast(b)) || b.createdAt.localeCompare(a.createdAt)
  )
  return (
    <ScrollTable
      label="Tokens that were given out"
      headings={[
        "Name",
        "Kind",
        "Role",
        "For",
        "Last used",
        "State",
        <span key="actions" class="unseen">
          What can be done
        </span>
      ]}
    >
      {sorted.map((token) => (
        <Row key={token.id} token={token} {...handlers} />
      ))}
    </ScrollTable>
  )
}

const isOver = ({ expiresAt }: Token): boolean => expiresAt !== null && Date.parse(expiresAt) <= now.value

const isPast = (token: Token): boolean => token.revokedAt !== null || token.usedAt !== null || isOver(token)

function State({ token }: { readonly token: Token }) {
  const { expiresAt, revokedAt, usedAt } = token
  if (revokedAt !== null) {
    return (
      <>
        revoked <Time at={revokedAt} as="distance" />
      </>
    )
  }
  if (usedAt !== null) {
    return (
      <>
        used <Time at={usedAt} as="distance" />
      </>
    )
  }
  if (expiresAt === null) return <>good, without an end</>
  return (
    <>
      {isOver(token) ? "over since" : "good, ends"} <Time at={expiresAt} as="distance" />
    </>
  )
}

function Row({ onChange, onSecret, token }: Handlers & { readonly token: Token }) {
  const { id, kind, lastUsedAt, name, role, workerId } = token
  const params = { id }
  const act = async (ask: () => Promise<void>) => {
    try {
      await ask()
    } catch (error) {
      notify("problem", problemText(toProblem(error)))
    }
    onChange()
  }
  const rotate = async () => {
    const isSure = await confirm({
      title: `Rotate ${name}?`,
      text: "It gets another secret, which is shown once. The one before stays good for an hour, so that whoever has it can change over; the console's sessions that began with it end.",
      action: "Rotate",
      isDangerous: false
    })
    if (!isSure) return
    await act(async () =>
      onSecret(await call("POST", "/v1/tokens/:id/rotate", { params, body: { grace: "1 hour" } }))
    )
  }
  const revoke = async () => {
    const isSure = await confirm({
      title: `Revoke ${name}?`,
      text: "Whoever has it is refused at once, and the console's sessions that began with it end. Workers stay as they are. This cannot be taken back.",
      action: "Revoke",
      isDangerous: true
    })
    if (!isSure) return
    await act(async () => {
      await call("DELETE", "/v1/tokens/:id", { params })
      notify("done", `${name} is revoked.`)
    })
  }
  return (
    <tr class={isPast(token) ? "past" : ""}>
      <th scope="row">
        {name} <small class="sub id">{id}</small>
      </th>
      <td>{kindNames[kind]}</td>
      <td>{kind === "token" || kind === "session" ? role : "–"}</td>
      <td>{workerId === null ? scopeText(token) : <a href={toWorker(workerId)}>{workerId}</a>}</td>
      <td>{lastUsedAt === null ? "never" : <Time at={lastUsedAt} as="distance" />}</td>
      <td>
        <State token={token} />
      </td>
      <td>
        {isPast(token) ? null : (
          <span class="buttons">
            {kind === "token" ? (
              <button type="button" class="small" aria-label={`Rotate ${name}`} onClick={() => void rotate()}>
                Rotate
              </button>
            ) : null}
            <button
              type="button"
              class="small danger"
              aria-label={`Revoke ${name}`}
              onClick={() => void revoke()}
            >
              Revoke
            </button>
          </span>
        )}
      </td>
    </tr>
  )
}
