import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Configuration, Setting } from "../src/configuration/Configuration.ts"
import { bin, Muster } from "./ServiceProcess.ts"

const config = async (env: Readonly<Record<string, string>> = {}, ...args: ReadonlyArray<string>) => {
  const muster = new Muster(["config", ...args], { env })
  return { code: await muster.exit(), output: muster.output, errors: muster.errors }
}

const settings = async (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) => {
  const { output } = await config(env, "--json", ...args)
  const configuration: Configuration = JSON.parse(output)
  const of = (name: string): Setting => {
    const setting = configuration.settings.find((setting) => setting.name === name)
    if (setting === undefined) throw new Error(`there is no ${name}`)
    return setting
  }
  return { problems: configuration.problems, of }
}

describe("muster config", () => {
  it("shows each value, and whether a flag, a variable or the default gives it", async () => {
    const { of } = await settings(
      { MUSTER_PORT: "8080", MUSTER_HOST: "::1", MUSTER_CONCURRENCY: "100", MUSTER_BASE_BACKOFF: "" },
      "--port",
      "9090"
    )
    assert.deepInclude(of("MUSTER_PORT"), { value: "9090", source: "flag", default: "7070", problem: null })
    assert.deepInclude(of("MUSTER_HOST"), { value: "::1", source: "environment" })
    assert.deepInclude(of("MUSTER_JITTER"), { value: "full", source: "default" })
    assert.deepInclude(of("MUSTER_BASE_BACKOFF"), { value: "100 millis", source: "default" })
    assert.deepInclude(of("MUSTER_CALLS"), { value: "25", source: "default" })
  })

  it("tells everything that is wrong at once, each with its rule, and fails", async () => {
    const wrong = {
      MUSTER_PORT: "http",
      MUSTER_MAX_RETRY_DELAY: "1 milli",
      MUSTER_CONCURRENCY: "0",
      MUSTER_CIRCUIT_MAX_OPEN_FOR: "1 millis",
      MUSTER_JITTER: "some",
      MUSTER_MAX_RETRIES: "-1",
      MUSTER_LOG_LEVEL: "loud",
      MUSTER_SCHEDULER: "grpc://nowhere",
      MUSTER_STORE: "redis://here",
      MUSTER_SERVER: "ftp://here"
    }
    const { code, errors, output } = await config(wrong)
    assert.strictEqual(code, 1)
    assert.strictEqual(errors, "The configuration is not valid.\n")
    assert.include(output, "MUSTER_PORT must be a port, a whole number from 0 to 65535")
    assert.include(output, "MUSTER_CONCURRENCY must be a whole number from 1 to 10000")
    assert.include(output, "MUSTER_CIRCUIT_MAX_OPEN_FOR must not be under MUSTER_CIRCUIT_OPEN_FOR")
    const { of, problems } = await settings(wrong)
    assert.deepEqual(
      Object.keys(wrong).filter((name) => of(name).problem === null),
      []
    )
    assert.lengthOf(problems, Object.keys(wrong).length)
  })

  it("shows no secrets, right or wrong", async () => {
    const env = {
      MUSTER_STORE: "postgres://muster:s3cr%20et/@db/fleet?sslpassword=s3cret&x=1",
      MUSTER_SCHEDULER: "etcd://root:s3cret@nowhere",
      MUSTER_SCHEDULER_PASSWORD: "s3cret",
      MUSTER_HODEI_TOKEN_COMMAND: "print s3cret",
      MUSTER_PASWORD: "s3cret"
    }
    for (const args of [[], ["--json"], ["--store", "postgres://u:s3cret@[/x"]]) {
      const { errors, output } = await config(env, ...args)
      assert.notMatch(output + errors, /s3cr/)
    }
    const { of } = await settings(env)
    assert.strictEqual(of("MUSTER_STORE").value, "postgres://***@db/fleet?sslpassword=***&x=1")
    assert.strictEqual(of("MUSTER_SCHEDULER_PASSWORD").value, "***")
  })

  it("takes secrets from files, and says who may read those", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-config-"))
    const file = (name: string, content: string, mode: number) => {
      const path = join(folder, name)
      writeFileSync(path, content)
      chmodSync(path, mode)
      return path
    }
    try {
      const env = {
        // The tests have one of their own.
        MUSTER_STORE: "",
        MUSTER_STORE_FILE: file("store", "postgres://muster:s3cret@db/fleet\n", 0o600),
        MUSTER_SCHEDULER: "hodei://hodei:1",
        MUSTER_HODEI_TOKEN_COMMAND_FILE: file("command", "print s3cret\r\n", 0o644)
      }
      const { code, errors, output } = await config(env)
      assert.strictEqual(code, 0, output + errors)
      assert.notInclude(output, "s3cret")
      assert.match(output, /^ {2}MUSTER_STORE +postgres:\/\/\*\*\*@db\/fleet +file$/m)
      assert.match(output, /^ {2}MUSTER_HODEI_TOKEN_COMMAND +\*\*\* +file$/m)
      assert.match(output, /MUSTER_HODEI_TOKEN_COMMAND_FILE: every user of this machine may read \S+command/)
      assert.notMatch(output, /MUSTER_STORE_FILE: every/)

      const { problems } = await settings({
        MUSTER_STORE: "memory",
        MUSTER_STORE_FILE: env.MUSTER_STORE_FILE,
        MUSTER_HODEI_TOKEN_COMMAND_FILE: file("nothing", "\n", 0o600),
        MUSTER_SCHEDULER_PASSWORD_FILE: join(folder, "none")
      })
      assert.includeMembers(Array.from(problems), [
        "MUSTER_STORE and MUSTER_STORE_FILE exclude each other",
        `MUSTER_HODEI_TOKEN_COMMAND_FILE: ${join(folder, "nothing")} is empty`,
        `MUSTER_SCHEDULER_PASSWORD_FILE: ${join(folder, "none")} cannot be read: NotFound`
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("takes no password as an argument", async () => {
    for (const store of ["postgres://u:s3cret@db/x", "postgres://db/x?user=u&password=s3cret"]) {
      const { code, errors, output } = await config({}, "--store", store)
      assert.strictEqual(code, 1)
      assert.match(output, /--store takes no address with a password.*MUSTER_STORE_FILE/)
      assert.notInclude(output + errors, "s3cret")
    }
  })

  it("asks whether another name was meant", async () => {
    const { code, output } = await config({ MUSTER_CONCURENCY: "3", MUSTER_WHATEVER_ELSE: "1" })
    assert.strictEqual(code, 0)
    assert.include(output, "MUSTER_CONCURENCY is no variable of muster; did you mean MUSTER_CONCURRENCY?")
    assert.match(output, /MUSTER_WHATEVER_ELSE is no variable of muster\n/)
  })

  it("is plain in a pipe, whatever its width", async () => {
    const { output } = await config({ COLUMNS: "20" })
    assert.notInclude(output, "\u001b")
    assert.match(output, /^ {2}MUSTER_MAX_UNFINISHED +100000 +default$/m)
  })

  const hasScript = spawnSync("script", ["--version"]).status === 0
  it.skipIf(!hasScript)(
    `fits a terminal, with colours unless they are unwanted${hasScript ? "" : " (skipped: there is no `script` of util-linux)"}`,
    () => {
      const onTerminal = (env: Readonly<Record<string, string>>) =>
        spawnSync("script", ["-qec", `stty cols 60; '${process.execPath}' ${bin} config`, "/dev/null"], {
          encoding: "utf8",
          env: {
            PATH: process.env["PATH"],
            TERM: "xterm",
            MUSTER_SCHEDULER: `grpc://${"host".repeat(20)}:1`,
            ...env
          }
        }).stdout
      const coloured = onTerminal({})
      assert.include(coloured, "\u001b[")
      const plain = onTerminal({ NO_COLOR: "1" })
      assert.notInclude(plain, "\u001b")
      for (const line of plain.split(/\r?\n/)) assert.isAtMost(line.length, 60, line)
    }
  )
})

describe("muster --completions", () => {
  const hasBash = spawnSync("bash", ["--version"]).status === 0
  const completed = (line: string) => {
    const script = `
      source <('${process.execPath}' '${bin}' --completions bash)
      COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}
      read -r -a COMP_WORDS <<< "$COMP_LINE"
      [[ "$COMP_LINE" == *" " ]] && COMP_WORDS+=("")
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      function=$(complete -p muster | sed -E 's/.*-F ([^ ]+).*/\\1/')
      "$function" muster "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
      printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stderr, stdout } = spawnSync("bash", ["-c", script], { encoding: "utf8" })
    assert.strictEqual(stderr, "")
    return stdout.split("\n").map((word) => word.trim())
  }

  it.skipIf(!hasBash)(
    `completes commands, flags and values in bash${hasBash ? "" : " (skipped: there is no bash)"}`,
    () => {
      assert.includeMembers(completed("muster ex"), ["export"])
      assert.includeMembers(completed("muster "), ["serve", "register", "config", "doctor", "import"])
      assert.includeMembers(completed("muster export --o"), ["--output"])
      assert.includeMembers(completed("muster register --format n"), ["ndjson"])
    }
  )

  it.each(["zsh", "fish"])("has a script for %s", async (shell) => {
    const muster = new Muster(["--completions", shell])
    assert.strictEqual(await muster.exit(), 0)
    assert.match(muster.output, /muster/)
    assert.match(muster.output, /dry-run/)
  })
})
