/** The words of the page's language, which the server put into the page. */
import type catalogue from "./en.json"
import { page } from "../api/page"

export type Key = keyof typeof catalogue
export type Values = Record<string, string | number>

export const language = page.language
export const LANGUAGE_NAMES: Record<string, string> = { en: "English", de: "Deutsch" }

const plural = new Intl.PluralRules(language)

/** The text of a key, with `{name}` replaced by the value of that name. */
export function t(key: Key, values: Values = {}): string {
  const text: string = page.words[key] ?? key
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]))
}

/** The text of `key.one` or `key.other`, whichever fits the number `{n}`. */
export function count(key: string, n: number, values: Values = {}): string {
  return t(`${key}.${plural.select(n) === "one" ? "one" : "other"}` as Key, { n, ...values })
}

/** The text for a refusal's reason, or a general one for a reason that this page does not know. */
export const refusalWords = (reason: string) => ofCode(`refusal.${reason}`, "refusal.unknown")

/** The text for a problem's code, or a general one for a code that this page does not know. */
export const problemWords = (code: string) => ofCode(`problem.${code}`, "problem.unknown")

const ofCode = (key: string, otherwise: Key) => t(key in page.words ? (key as Key) : otherwise)
