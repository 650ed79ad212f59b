/**
 * What happened to a worker: as a picture, and in words.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import type { Answer, TimelineItem } from "../api.ts"
import { Time } from "../clock.tsx"
import { PhaseMark } from "../PhaseMark.tsx"
import { Empty } from "../states.tsx"
import { itemTitle, plural } from "../text.ts"
import { Picture } from "./Picture.tsx"

interface TimelineProps {
  readonly timeline: Answer<"GET", "/v1/workers/:id/timeline">
  readonly nextAttemptAt: string | null
}

/** As many are told at first. */
const few = 12

export function Timeline({ nextAttemptAt, timeline: { forgotten, items } }: TimelineProps) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const [isWhole, setWhole] = useState(false)
  useEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const watch = new ResizeObserver(() => setWidth(element.clientWidth))
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  // What has just happened is at the right.
  useEffect(() => {
    if (box.current !== null) box.current.scrollLeft = box.current.scrollWidth
  }, [items.length, width > 0])
  const told = items.toReversed()
  return (
    <section class="card timeline" aria-labelledby="timeline-title">
      <h2 id="timeline-title">Timeline</h2>
      <div ref={box} class="picture" role="region" aria-label="Timeline as a picture" tabIndex={0}>
        {width > 0 && items.length > 0 ? (
          <Picture items={items} nextAttemptAt={nextAttemptAt} room={width} />
        ) : null}
      </div>
      {items.length === 0 ? <Empty title="Nothing is kept of what happened to it" /> : null}
      <ol class="story">
        {(isWhole ? told : told.slice(0, few)).map((item, i) => (
          <Step key={told.length - i} item={item} />
        ))}
      </ol>
      {isWhole || told.length <= few ? null : (
        <button type="button" onClick={() => setWhole(true)}>
          Show {plural(told.length - few, "earlier step")}
        </button>
      )}
      {forgotten === 0 ? null : (
        <p class="none">{plural(forgotten, "step")} before these are not kept any more.</p>
      )}
    </section>
  )
}

function Step({ item }: { readonly item: TimelineItem }) {
  const detail =
    item.type === "call"
      ? (item.error?.message ?? "")
      : item.type === "change"
        ? [item.reason ?? "", item.source === null ? "" : `from ${item.source}`].filter(Boolean).join(", ")
        : ""
  return (
    <li class={item.type === "call" && item.error !== null ? "bad" : item.type}>
      <Time at={item.at} />
      <span>
        {item.type === "phase" ? <PhaseMark phase={item.phase} /> : itemTitle(item)}
        {item.type === "phase" && item.nextAttemptAt !== null ? (
          <small>
            {" "}
            until <Time at={item.nextAttemptAt} />
          </small>
        ) : null}
        {detail === "" ? null : <small class="message">{detail}</small>}
      </span>
    </li>
  )
}
