/**
 * Light or dark: as the system has it, unless the reader has chosen.
 */
import { signal } from "@preact/signals"

const themes = ["system", "light", "dark"] as const
export type Theme = (typeof themes)[number]

const place = "muster-theme"

const remembered = (): Theme => {
  try {
    const stored = localStorage.getItem(place)
    return themes.find((theme) => theme === stored) ?? "system"
  } catch {
    return "system"
  }
}

export const theme = signal<Theme>(remembered())

const system = matchMedia("(prefers-color-scheme: dark)")
/** Grows with each change of the colours, for what is drawn and not styled. */
export const colours = signal(0)
system.addEventListener("change", () => colours.value++)

const show = () => {
  if (theme.value === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme.value
}

export const choose = (choice: string): void => {
  theme.value = themes.find((theme) => theme === choice) ?? "system"
  show()
  colours.value++
  try {
    localStorage.setItem(place, theme.value)
  } catch {
    // It holds until the page is closed, then.
  }
}

show()
