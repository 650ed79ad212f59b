/**
 * `muster config`: the configuration that is in effect, and everything that is wrong with it.
 */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { inspectConfiguration } from "../configuration/Configuration.ts"
import { renderConfiguration } from "../configuration/ConfigurationText.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { serveFlags } from "./serve.ts"

const parameters = {
  ...serveFlags,
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints one JSON object, with the rule and the default of every value"),
    Flag.withDefault(false)
  )
}

export const config = Command.make(
  "config",
  parameters,
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const configuration = yield* inspectConfiguration(flags, Object.keys(process.env))
    if (json) {
      yield* Console.log(JSON.stringify(configuration, undefined, 2))
    } else {
      const { columns, paint } = yield* terminalOutput
      yield* Console.log(renderConfiguration(configuration, paint, columns))
    }
    if (configuration.problems.length > 0) {
      return yield* new NotAllDone({ message: "The configuration is not valid." })
    }
  })
).pipe(
  Command.withDescription(
    "Shows every value that muster serve would run with, where it comes from (a flag, a variable of the environment or " +
      "the default), and everything that is wrong at once. Secrets are not shown. Exits with 1 when a value is invalid."
  ),
  Command.withShortDescription("Shows the configuration, where each value comes from, and what is wrong"),
  Command.withExamples([
    { command: "muster config", description: "What muster serve would run with here" },
    {
      command: "env $(grep -v '^#' /etc/muster/muster.env | xargs -d '\\n') muster config",
      description: "What the service under systemd runs with"
    },
    {
      command: `muster config --json | jq '.settings[] | select(.source != "default")'`,
      description: "What was changed"
    }
  ])
)
