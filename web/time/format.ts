/** Dates and times in words. Dates are `YYYY-MM-DD`; instants are RFC 3339 texts, shown in a named zone. */
import { language, t } from "../i18n"

const LOCALE = { en: "en-GB", de: "de-DE" }[language]
const DAY_MS = 86_400_000

const FORMATS = {
  longDate: { weekday: "long", day: "numeric", month: "long" },
  weekday: { weekday: "short" },
  fullDate: { day: "numeric", month: "long", year: "numeric" },
  isoDate: { dateStyle: "short" },
  time: { hour: "2-digit", minute: "2-digit" },
  offset: { timeZoneName: "shortOffset" },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>
type Format = keyof typeof FORMATS

// Making one takes as long as using it many times.
const made = new Map<string, Intl.DateTimeFormat>()

function formatter(format: Format, timeZone = "UTC"): Intl.DateTimeFormat {
  const key = format + timeZone
  let known = made.get(key)
  if (!known) {
    // Sweden writes dates as ISO 8601 does.
    const locale = format === "isoDate" ? "sv-SE" : LOCALE
    known = new Intl.DateTimeFormat(locale, { timeZone, ...FORMATS[format] })
    made.set(key, known)
  }
  return known
}

const noon = (date: string) => new Date(`${date}T12:00:00Z`)
const ofDate = (date: string, format: Format) => formatter(format).format(noon(date))

/** "Monday, 30 November" */
export const longDate = (date: string) => ofDate(date, "longDate")
/** "Mon" */
export const weekday = (date: string) => ofDate(date, "weekday").replace(".", "")
/** "30" */
export const dayNumber = (date: string) => String(noon(date).getUTCDate())
/** "30 November – 6 December 2026" */
export const period = (from: string, to: string) => formatter("fullDate").formatRange(noon(from), noon(to))

/** The date so many days later. */
export const addDays = (date: string, days: number) =>
  new Date(noon(date).getTime() + days * DAY_MS).toISOString().slice(0, 10)

/** The Monday of the date's week. */
export const mondayOf = (date: string) => addDays(date, -((noon(date).getUTCDay() + 6) % 7))

/** The date of an instant in a zone. */
export function dateIn(zone: string, instant: string | Date = new Date()): string {
  return formatter("isoDate", zone).format(new Date(instant))
}

/** "09:00" */
export const time = (instant: string, zone: string) => formatter("time", zone).format(new Date(instant))

/** "GMT+1" */
export const offset = (instant: string, zone: string) =>
  formatter("offset", zone)
    .formatToParts(new Date(instant))
    .find((part) => part.type === "timeZoneName")?.value ?? ""

/** "Today, 09:00", "Monday, 30 November, 09:00": with the year only where it is another. */
export function when(instant: string, zone: string): string {
  return t("time.dateAndTime", { date: nearDate(dateIn(zone, instant), zone), time: time(instant, zone) })
}

/** "Today", "Tomorrow", or the long date. */
export function nearDate(date: string, zone: string): string {
  const today = dateIn(zone)
  if (date === today) return t("time.today")
  if (date === addDays(today, 1)) return t("time.tomorrow", { date: longDate(date) })
  return longDate(date)
}

/** The city of a zone, as people call it: "Berlin". */
export const city = (zone: string) => zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " ")

export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** The same instant on the user's own clock, if that shows anything else: "03:00", or "Tue 03:00". */
export function inOwnZone(instant: string, zone: string): string | null {
  if (zone === ownZone) return null
  const [theirs, own] = [zone, ownZone].map((name) => [dateIn(name, instant), time(instant, name)])
  if (!theirs || !own || String(theirs) === String(own)) return null
  return theirs[0] === own[0] ? own[1]! : `${weekday(own[0]!)} ${own[1]}`
}

/** The times of a day as people read them; an hour that the clock shows twice has its offset. */
export function labels(instants: string[], zone: string): Map<string, string> {
  const plain = instants.map((instant) => time(instant, zone))
  return new Map(
    instants.map((instant, index) => {
      const text = plain[index]!
      const doubled = plain.indexOf(text) !== plain.lastIndexOf(text)
      return [instant, doubled ? `${text} ${offset(instant, zone)}` : text]
    }),
  )
}
