import { render } from "preact"
import { watchSession } from "./access/session.ts"
import { App } from "./App.tsx"
import { stayConnected } from "./live.ts"

const place = document.getElementById("console")
if (place !== null) render(<App />, place)
watchSession()
void stayConnected()
