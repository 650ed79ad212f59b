/**
 * What nodes the controller has now. `scontrol` always gets the whole table and chooses from it itself, so that asking
 * for one node costs nearly as much as asking for all: with Slurm 22.05, 2 ms for each thousand of `MaxNodeCount`,
 * whether they are there or not, and 10 to 40 ms for each thousand that are.
 */
import type { SchedulerError } from "@muster/core"
import { Effect, Option, Stream } from "effect"
import { type NodeRecord, parseNode } from "./NodeRecord.ts"
import type { Scontrol } from "./Scontrol.ts"

/** All nodes, foreign ones too, one at a time as they are printed. */
export const allNodes = (scontrol: Scontrol): Stream.Stream<NodeRecord, SchedulerError> =>
  nodesIn(scontrol.lines("--oneliner", "show", "nodes"))

/** Those of these nodes that are there, by name. */
export const nodesNamed = (
  scontrol: Scontrol,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, NodeRecord>, SchedulerError> =>
  nodesIn(scontrol.lines("--oneliner", "show", "node", names.join(","))).pipe(
    Stream.runCollect,
    Effect.map((nodes) => new Map(nodes.map((node) => [node.name, node])))
  )

const nodesIn = <E>(lines: Stream.Stream<string, E>): Stream.Stream<NodeRecord, E> =>
  lines.pipe(
    // A comment of an administrator may go on in the next line.
    Stream.mapAccum(
      () => "",
      (begun, line: string) => (isFirst(line) ? [line, [begun]] : [`${begun} ${line}`, []]),
      { onHalt: (begun) => [begun] }
    ),
    Stream.flatMap((line) => Stream.fromIterable(Option.toArray(parseNode(line))))
  )

const isFirst = (line: string): boolean => /^Node(?:Name=| \S+ not found$)/.test(line)
