/**
 * What narrows the list of workers. Each change is in the address at once.
 */
import type { TargetedEvent } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Phase } from "../api.ts"
import { notify } from "../notices.tsx"
import { useOverview } from "../overview/fleet.ts"
import { PhaseMark, phases } from "../PhaseMark.tsx"
import { replace, toWorkers } from "../route.ts"
import { plural } from "../text.ts"
import type { Wanted } from "./query.ts"

interface FiltersProps {
  readonly wanted: Wanted
  readonly want: (change: Partial<Wanted>) => void
  readonly total: number | undefined
  readonly isFiltered: boolean
}

export function Filters({ isFiltered, total, want, wanted }: FiltersProps) {
  const namespaces = useOverview(false).data?.workers.namespaces ?? []
  const toggle = (phase: Phase) =>
    want({
      phase: wanted.phase.includes(phase)
        ? wanted.phase.filter((other) => other !== phase)
        : wanted.phase.concat(phase)
    })
  return (
    <search class="filters">
      <div class="fields">
        <label class="field grow">
          <span>Search by id</span>
          <DelayedInput
            id="search"
            value={wanted.search}
            placeholder="a part of the id"
            onChange={(search) => want({ search })}
          />
        </label>
        <label class="field">
          <span>Namespace</span>
          <DelayedInput
            list="namespaces"
            value={wanted.namespace}
            placeholder="all"
            onChange={(namespace) => want({ namespace })}
          />
          <datalist id="namespaces">
            {namespaces.map(({ namespace }) => (
              <option key={namespace} value={namespace} />
            ))}
          </datalist>
        </label>
        <label class="field">
          <span>Type</span>
          <select
            value={wanted.workerType}
            onChange={({ currentTarget: { value } }) =>
              want({ workerType: value === "static" || value === "dynamic" ? value : "" })
            }
          >
            <option value="">all</option>
            <option value="static">static</option>
            <option value="dynamic">dynamic</option>
          </select>
        </label>
        <AddLabel onAdd={(label) => want({ label: Array.from(new Set([...wanted.label, label])) })} />
      </div>
      <div class="chips" role="group" aria-label="Phases and labels">
        {phases.map((phase) => (
          <button
            key={phase}
            type="button"
            class="chip"
            aria-pressed={wanted.phase.includes(phase)}
            onClick={() => toggle(phase)}
          >
            <PhaseMark phase={phase} />
          </button>
        ))}
        {wanted.label.map((label) => (
          <button
            key={label}
            type="button"
            class="chip chosen"
            aria-label={`Remove the label ${label}`}
            onClick={() => want({ label: wanted.label.filter((other) => other !== label) })}
          >
            {label} <span aria-hidden="true">✕</span>
          </button>
        ))}
        {isFiltered ? (
          <button type="button" class="quiet" onClick={() => replace(toWorkers())}>
            Clear filters
          </button>
        ) : null}
        <span class="total">
          {total === undefined
            ? ""
            : isFiltered
              ? plural(total, "match", "matches")
              : plural(total, "worker")}
        </span>
      </div>
    </search>
  )
}

interface InputProps {
  readonly value: string
  readonly onChange: (value: string) => void
  readonly placeholder: string
  readonly id?: string
  readonly list?: string
}

/** Is heard when somebody has stopped to write for a moment. */
function DelayedInput({ onChange, value, ...rest }: InputProps) {
  const [text, setText] = useState(value)
  const heard = useRef(value)
  const listener = useRef(onChange)
  listener.current = onChange
  useEffect(() => {
    if (value === heard.current) return
    heard.current = value
    setText(value)
  }, [value])
  useEffect(() => {
    if (text === heard.current) return undefined
    const timer = setTimeout(() => {
      heard.current = text
      listener.current(text)
    }, 200)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <input
      {...rest}
      type="search"
      autocomplete="off"
      spellcheck={false}
      maxLength={253}
      value={text}
      onInput={({ currentTarget }) => setText(currentTarget.value)}
    />
  )
}

function AddLabel({ onAdd }: { readonly onAdd: (label: string) => void }) {
  const [text, setText] = useState("")
  const add = (event: TargetedEvent) => {
    event.preventDefault()
    if (text === "") return
    if (!/^[^=]+=/.test(text)) {
      notify("problem", "A label is written as key=value, such as zone=a.")
      return
    }
    onAdd(text)
    setText("")
  }
  return (
    <form class="field" onSubmit={add}>
      <label for="label-filter">Label</label>
      <span class="joined">
        <input
          id="label-filter"
          value={text}
          placeholder="key=value"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button type="submit">Add</button>
      </span>
    </form>
  )
}
