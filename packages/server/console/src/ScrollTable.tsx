/**
 * A table that scrolls by itself where the screen is narrow: reached with the keyboard, and named for those who do not
 * see it.
 */
import type { ComponentChildren } from "preact"

interface ScrollTableProps {
  /** What it is of. */
  readonly label: string
  readonly headings: ReadonlyArray<ComponentChildren>
  readonly class?: string
  /** Its rows. */
  readonly children: ComponentChildren
}

export function ScrollTable({ children, class: name, headings, label }: ScrollTableProps) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table class={name}>
        <thead>
          <tr>
            {headings.map((heading, column) => (
              <th key={column} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}
