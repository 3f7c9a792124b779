/** What the server put into the page: the clinic, the language, and its words. */
import type { components } from "./openapi"

type Page = {
  clinic: components["schemas"]["ClinicView"]
  language: "en" | "de"
  words: Record<string, string>
}

export const page: Page = JSON.parse(document.getElementById("page")?.textContent ?? "{}")
export const clinic = page.clinic
