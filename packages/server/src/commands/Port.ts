import { Schema } from "effect"
import { maximumPort } from "../ServeSettings.ts"

const rule = `a port, a whole number from 0 to ${maximumPort}`

/** The value of a `--port`; 0 asks for any that is free. */
export const Port = Schema.Finite.check(
  Schema.isInt({ expected: rule }),
  Schema.isBetween({ minimum: 0, maximum: maximumPort }, { expected: rule })
)
