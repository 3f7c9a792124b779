import { beforeAll, describe, expect, it, vi } from "vitest"

const BERLIN = "Europe/Berlin"
let format: typeof import("./format")

beforeAll(async () => {
  vi.stubGlobal("document", {
    getElementById: () => ({
      textContent: JSON.stringify({
        language: "en",
        words: { "time.today": "Today", "time.tomorrow": "Tomorrow, {date}", "time.dateAndTime": "{date}, {time}" },
      }),
    }),
  })
  format = await import("./format")
})

describe("dates", () => {
  it("are written out", () => {
    expect(format.longDate("2026-11-30")).toBe("Monday 30 November")
    expect(format.weekday("2026-11-30")).toBe("Mon")
    expect(format.period("2026-11-30", "2026-12-06")).toMatch(/^30 November\s–\s6 December 2026$/)
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

  it("have an offset where the clock shows them twice", () => {
    const instants = ["2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]
    expect([...format.labels(instants, BERLIN).values()]).toEqual(["01:30", "02:30 GMT+2", "02:30 GMT+1"])
  })
})
