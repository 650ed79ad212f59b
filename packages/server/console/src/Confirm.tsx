/**
 * Asks before something is done that cannot be taken back.
 */
import { signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"

interface Question {
  readonly title: string
  readonly text: string
  /** What the button says. */
  readonly action: string
  readonly isDangerous: boolean
}

const open = signal<(Question & { readonly answer: (isSure: boolean) => void }) | undefined>(undefined)

export const confirm = (question: Question): Promise<boolean> =>
  new Promise((resolve) => {
    open.value?.answer(false)
    open.value = {
      ...question,
      answer: (isSure) => {
        open.value = undefined
        resolve(isSure)
      }
    }
  })

export function Confirm() {
  const question = open.value
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (question !== undefined) dialog.current?.showModal()
  }, [question])
  // With the views that ask goes what they have asked.
  useEffect(() => () => open.value?.answer(false), [])
  if (question === undefined) return null
  const { action, answer, isDangerous, text, title } = question
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
      onClose={() => answer(false)}
    >
      <h2 id="confirm-title">{title}</h2>
      <p id="confirm-text">{text}</p>
      <div class="buttons">
        <button type="button" autofocus onClick={() => answer(false)}>
          Cancel
        </button>
        <button type="button" class={isDangerous ? "danger" : "primary"} onClick={() => answer(true)}>
          {action}
        </button>
      </div>
    </dialog>
  )
}
