import { beforeAll, describe, expect, it, vi } from "vitest"
import de from "../i18n/de.json"
import en from "../i18n/en.json"

const BERLIN = "Europe/Berlin"
const CATALOGUES = { en, de }

describe.each(["en", "de"] as const)("%s", (language) => {
  let format: typeof import("./format")

  beforeAll(async () => {
    vi.stubEnv("TZ", "America/New_York")
    const page = JSON.stringify({ language, words: CATALOGUES[language] })
    vi.stubGlobal("document", { getElementById: () => ({ textContent: page }) })
    vi.resetModules()
    format = await import("./format")
  })

  describe("dates", () => {
    it("are written out", () => {
      const [longDate, weekday, period] = {
        en: ["Monday 30 November", "Mon", /^30 November\s–\s6 December 2026$/],
        de: ["Montag, 30. November", "Mo", /^30. November\s–\s6. Dezember 2026$/],
      }[language]
      expect(format.longDate("2026-11-30")).toBe(longDate)
      expect(format.weekday("2026-11-30")).toBe(weekday)
      expect(format.period("2026-11-30", "2026-12-06")).toMatch(period!)
    })

    it("are dates, or none are named", () => {
      expect(["2026-11-30", "2026-13-01", "today", "", null].map(format.dateOf)).toEqual(["2026-11-30", "", "", "", ""])
    })

    it("have a Monday before them", () => {
      expect(format.mondayOf("2026-12-06")).toBe("2026-11-30")
      expect(format.mondayOf("2026-11-30")).toBe("2026-11-30")
      expect(format.addDays("2026-12-31", 1)).toBe("2027-01-01")
    })

    it("are those of the zone", () => {
      expect(format.dateIn("Pacific/Auckland", "2026-11-30T23:30:00+01:00")).toBe("2026-12-01")
      expect(format.dateIn(BERLIN, "2026-11-30T23:30:00+01:00")).toBe("2026-11-30")
    })
  })

  describe("times", () => {
    it("are those of the clinic's zone", () => {
      expect(format.time("2026-11-30T08:00:00Z", BERLIN)).toBe("09:00")
      expect(format.offset("2026-11-30T08:00:00Z", BERLIN)).toBe("GMT+1")
    })

    // Before, twice, and after: as the clock shows them.
    const NIGHTS: Record<string, Record<string, string>> = {
      [BERLIN]: {
        "2026-10-25T01:30:00+02:00": "01:30",
        "2026-10-25T02:00:00+02:00": "02:00 GMT+2",
        "2026-10-25T02:59:59+02:00": "02:59 GMT+2",
        "2026-10-25T02:00:00+01:00": "02:00 GMT+1",
        "2026-10-25T02:59:59+01:00": "02:59 GMT+1",
        "2026-10-25T03:00:00+01:00": "03:00",
        "2026-03-29T01:30:00+01:00": "01:30",
        "2026-03-29T03:30:00+02:00": "03:30",
      },
      "America/New_York": {
        "2026-11-01T00:59:00-04:00": "00:59",
        "2026-11-01T01:30:00-04:00": "01:30 GMT-4",
        "2026-11-01T01:30:00-05:00": "01:30 GMT-5",
        "2026-11-01T02:00:00-05:00": "02:00",
      },
      "Pacific/Auckland": {
        "2026-04-05T02:30:00+13:00": "02:30 GMT+13",
        "2026-04-05T02:30:00+12:00": "02:30 GMT+12",
        "2026-04-05T03:00:00+12:00": "03:00",
      },
      // Half an hour, at two.
      "Australia/Lord_Howe": {
        "2026-04-05T01:29:00+11:00": "01:29",
        "2026-04-05T01:30:00+11:00": "01:30 GMT+11",
        "2026-04-05T01:30:00+10:30": "01:30 GMT+10:30",
        "2026-04-05T02:00:00+10:30": "02:00",
      },
      "Asia/Kathmandu": { "2026-10-25T02:30:00+05:45": "02:30" },
    }

    it.each(Object.entries(NIGHTS))("have an offset where the clock of %s shows them twice", (zone, night) => {
      for (const [instant, shown] of Object.entries(night)) expect(format.time(instant, zone)).toBe(shown)
    })

    it("have it in each sentence", () => {
      const [first, second] = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]
      const uhr = language === "de" ? " Uhr" : ""
      for (const [instant, name] of [[first, "GMT+2"], [second, "GMT+1"]] as const) {
        expect(format.dateAndTime("D", instant, BERLIN)).toBe(`D, 02:30${uhr} ${name}`)
        expect(format.when(instant, BERLIN)).toMatch(new RegExp(`, 02:30${uhr} ${name.replace("+", "\\+")}$`))
      }
    })

    it("have it on the user's own clock, too", () => {
      expect(format.ownZone).toBe("America/New_York")
      expect(format.inOwnZone("2026-11-01T01:30:00-05:00", BERLIN)).toBe("01:30 GMT-5")
      expect(format.inOwnZone("2026-11-01T12:00:00Z", BERLIN)).toBe("07:00")
      expect(format.inOwnZone("2026-11-01T02:00:00Z", BERLIN)).toBe(`${language === "de" ? "Sa" : "Sat"} 22:00`)
      expect(format.inOwnZone("2026-11-01T12:00:00Z", "America/Toronto")).toBe(null)
      expect(format.inOwnZone("2026-11-01T01:30:00-05:00", "America/Toronto")).toBe(null)
    })
  })
})
