/**
 * What came of something that the reader asked for; also said aloud.
 */
import { signal } from "@preact/signals"

interface Notice {
  readonly id: number
  readonly kind: "done" | "problem"
  readonly text: string
}

const notices = signal<ReadonlyArray<Notice>>([])
const spoken = signal("")
let last = 0

const dismiss = (id: number) => {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}

export const notify = (kind: Notice["kind"], text: string): void => {
  const id = ++last
  notices.value = [...notices.value.slice(-3), { id, kind, text }]
  // A problem stays until it was read.
  if (kind === "done") setTimeout(() => dismiss(id), 8000)
}

/** Takes back all that was told. */
export const dismissAll = (): void => {
  notices.value = []
  spoken.value = ""
}

/** Says something to those who do not see the page. */
export const say = (text: string): void => {
  spoken.value = text
}

export function Notices() {
  return (
    <>
      <div class="unseen" role="status">
        {spoken.value}
      </div>
      <div class="notices" role="status" aria-label="Results">
        {notices.value.map(({ id, kind, text }) => (
          <div key={id} class={`notice ${kind}`}>
            <span>{text}</span>
            <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
              ✕
            </button>
          </div>
        ))}
      </div>
    </>
  )
}
