/** Dates and times in words. Dates are `YYYY-MM-DD`; instants are RFC 3339 texts, shown in a named zone. */
import { language, t } from "../i18n"

const LOCALE = { en: "en-GB", de: "de-DE" }[language]
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** No clock goes back further. */
const NEAR_MS = 4 * 60 * MINUTE_MS

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

/** The date that an address names; "" if that is none. */
export const dateOf = (text: string | null) => (text && !Number.isNaN(noon(text).getTime()) ? text : "")

/** The date so many days later. */
export const addDays = (date: string, days: number) =>
  new Date(noon(date).getTime() + days * DAY_MS).toISOString().slice(0, 10)

/** The Monday of the date's week. */
export const mondayOf = (date: string) => addDays(date, -((noon(date).getUTCDay() + 6) % 7))

/** The date of an instant in a zone. */
export function dateIn(zone: string, instant: string | Date = new Date()): string {
  return formatter("isoDate", zone).format(new Date(instant))
}

const clock = (instant: string | Date, zone: string) => formatter("time", zone).format(new Date(instant))

/** "GMT+1" */
export const offset = (instant: string, zone: string) =>
  formatter("offset", zone)
    .formatToParts(new Date(instant))
    .find((part) => part.type === "timeZoneName")?.value ?? ""

/** "09:00", "02:30 GMT+2": with the offset where the clock shows that time twice on that day. */
export function time(instant: string, zone: string): string {
  return withOffset(clock(instant, zone), instant, zone)
}

/** "Monday 30 November, 09:00", of the date's words and the instant; with the offset where `time` has it. */
export function dateAndTime(date: string, instant: string, zone: string): string {
  return withOffset(t("time.dateAndTime", { date, time: clock(instant, zone) }), instant, zone)
}

/** "Monday 30 November 2026, 09:00": what is right on paper, too. */
export function dated(instant: string, zone: string): string {
  const date = dateIn(zone, instant)
  return dateAndTime(`${longDate(date)} ${date.slice(0, 4)}`, instant, zone)
}

/** "Today, 09:00", "Monday 30 November, 09:00" */
export function when(instant: string, zone: string): string {
  return dateAndTime(nearDate(dateIn(zone, instant), zone), instant, zone)
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
  const [theirs, own] = [zone, ownZone].map((name) => dateIn(name, instant))
  if (theirs !== own) return `${weekday(own!)} ${time(instant, ownZone)}`
  return clock(instant, zone) === clock(instant, ownZone) ? null : time(instant, ownZone)
}

const withOffset = (text: string, instant: string, zone: string) =>
  comesTwice(instant, zone) ? `${text} ${offset(instant, zone)}` : text

/** Whether the zone's clock shows the instant's date and time at another instant, too: it goes back in between. */
function comesTwice(instant: string, zone: string): boolean {
  const at = Math.floor(Date.parse(instant) / MINUTE_MS) * MINUTE_MS
  if (!changes(at, zone)) return false
  const ahead = aheadMs(at, zone)
  return [at - NEAR_MS, at + NEAR_MS].some((other) => {
    const backMs = ahead - aheadMs(other, zone)
    return backMs * (other - at) > 0 && aheadMs(at + backMs, zone) === ahead - backMs
  })
}

// Asked for each time that is shown, and nearly always false.
const changing = new Map<string, boolean>()

/** Whether the zone's offset changes near the UTC day of an instant. */
function changes(at: number, zone: string): boolean {
  const day = Math.floor(at / DAY_MS)
  const key = `${day}${zone}`
  let known = changing.get(key)
  if (known === undefined) {
    const start = day * DAY_MS
    known = aheadMs(start - NEAR_MS, zone) !== aheadMs(start + DAY_MS + NEAR_MS, zone)
    changing.set(key, known)
  }
  return known
}

/** How far the zone's clock is ahead of UTC at an instant, which is a whole minute. */
function aheadMs(at: number, zone: string): number {
  const instant = new Date(at)
  return Date.parse(`${dateIn(zone, instant)}T${clock(instant, zone)}Z`) - at
}
