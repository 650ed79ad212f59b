/**
 * One number, what it counts, and where there is more about it.
 */
interface FigureProps {
  readonly name: string
  readonly value: string
  readonly note: string
  readonly to?: string
  readonly tone?: "good" | "fair" | "bad" | undefined
}

export function Figure({ name, note, to, tone, value }: FigureProps) {
  return (
    <div class={`figure ${tone ?? ""}`}>
      <dt>{to === undefined ? name : <a href={to}>{name}</a>}</dt>
      <dd>
        <span class="value">{value}</span>
        <span class="note">{note}</span>
      </dd>
    </div>
  )
}
