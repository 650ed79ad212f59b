/**
 * Which partitions of the fleet: a cell for each that there is, and their numbers.
 */
import { ranges } from "../../../src/cluster/ClusterWords.ts"

const cell = 8

interface PartitionsProps {
  /** How many there are. */
  readonly of: number
  readonly shown: ReadonlyArray<number>
}

export function Partitions({ of, shown }: PartitionsProps) {
  const has = new Set(shown)
  return (
    <>
      <svg class="partitions" viewBox={`0 0 ${of * cell} ${cell + 4}`} aria-hidden="true">
        {Array.from({ length: of }, (_, partition) => (
          <rect
            key={partition}
            class={has.has(partition) ? "has" : ""}
            x={partition * cell + 0.5}
            y={has.has(partition) ? 0.5 : cell - 0.5}
            width={cell - 1}
            height={has.has(partition) ? cell + 3 : 4}
          />
        ))}
      </svg>
      <small class="sub">{shown.length === 0 ? "none" : `${shown.length}: ${ranges(shown)}`}</small>
    </>
  )
}
