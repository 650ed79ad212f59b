import { Context } from "effect"

/** What `--scheduler` named, as it is shown to users. */
export class SchedulerName extends Context.Reference<string>("@muster/server/SchedulerName", {
  defaultValue: () => "embedded"
}) {}
