import { assert, describe, it } from "vitest"
import { parseCluster } from "./Cluster.ts"

const printed = `Configuration data as of 2026-11-24T20:49:37
AuthType                = auth/munge
GresTypes               = gpu,fpga
MaxNodeCount            = 10000
PrivateData             = accounts,cloud
SelectType              = select/cons_tres
SelectTypeParameters    = CR_CORE_MEMORY
`

describe("what scontrol show config prints", () => {
  it("gives the resources that jobs can ask for", () => {
    assert.deepStrictEqual(parseCluster(printed), {
      gresTypes: new Set(["gpu", "fpga"]),
      obstacle: undefined
    })
    assert.deepStrictEqual(parseCluster(printed.replace("gpu,fpga", "(null)")).gresTypes, new Set())
  })

  it.each([
    ["accounts,cloud", "none", /needs PrivateData=cloud/],
    ["select/cons_tres", "select/linear", /needs SelectType=select\/cons_tres/]
  ])("names what Muster cannot work with: %s is %s", (good, bad, message) => {
    assert.match(parseCluster(printed.replace(good, bad)).obstacle ?? "", message)
  })
})
