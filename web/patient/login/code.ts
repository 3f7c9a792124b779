/** Codes that are sent to a mail address or a phone number. */
import { FailedError } from "../../api/client"
import { count, problemWords, t } from "../../i18n"

/** As `type` and `autocomplete` of an input call them. */
export type AddressKind = "email" | "tel"

export const DIGITS = 8

const E164 = /^\+[1-9]\d{6,14}$/

/** An address as the API takes it, or a number as people write it, which may have blanks and brackets.
 * @throws FailedError `not_found`: it is none. */
export function written(kind: AddressKind, said: string): string {
  const address = kind === "email" ? said : said.replaceAll(/[\s()/.–-]/g, "").replace(/^00/, "+")
  if (kind === "email" ? address.includes("@") : E164.test(address)) return address
  throw new FailedError("not_found")
}

/** A failure in words, beside the field. */
export function failureWords({ failure, code, retryAfterS }: FailedError): string {
  if (code === "rate_limited" && retryAfterS) return count("login.tooMany", Math.ceil(retryAfterS / 60))
  return code ? problemWords(code) : t(`failure.${failure}`)
}
