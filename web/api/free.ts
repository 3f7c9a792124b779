/** Free time, as the pages for choosing it ask for it. */
import { api, body, type Day, type Doctor, type FirstFree } from "./client"
import { addDays, dateIn, mondayOf } from "../time/format"

type Query = { doctor_id?: string; visit_type?: string; specialty?: string }

/** What the page of a doctor's times begins with. `firstDay`: the first free one; null if there is none as far ahead as
 * patients may book. `days`: those of the week of `day`, if a day is known. */
export type Opening = { doctor: Doctor; visit: string; day: string; firstDay: string | null; days?: Promise<Day[]> }

/** The first free times of doctors.
 * @throws FailedError */
export async function firstFree(query: Query): Promise<FirstFree[]> {
  return (await body(api.GET("/v1/availability", { params: { query } }))).items
}

/** The days of the week that begins with this Monday, for a kind of visit.
 * @throws FailedError */
export async function week(doctorId: string, monday: string, visit: string): Promise<Day[]> {
  const query = { from: monday, to: addDays(monday, 6), visit_type: visit }
  const params = { path: { doctor_id: doctorId }, query }
  return (await body(api.GET("/v1/doctors/{doctor_id}/availability", { params }))).days
}

/** The doctor, and the kind of visit and the day to begin with, if none are `wanted`.
 * @throws FailedError */
export async function opening(doctorId: string, wanted: { visit: string; day: string }): Promise<Opening> {
  const first = async (visit_type?: string) => (await firstFree({ doctor_id: doctorId, visit_type }))[0]
  const free = (wanted.visit && (await first(wanted.visit))) || (await first())
  const path = { doctor_id: doctorId }
  const doctor = free?.doctor ?? (await body(api.GET("/v1/doctors/{doctor_id}", { params: { path } })))
  const slot = free?.slots[0]
  const firstDay = slot ? dateIn(doctor.time_zone, slot.starts_at) : null
  const visit = free?.visit_type ?? doctor.visit_types[0]!.code
  const day = wanted.day || (firstDay ?? "")
  const days = day ? week(doctorId, mondayOf(day), visit) : undefined
  days?.catch(() => {}) // told to whoever awaits it
  return { doctor, visit, day, firstDay, days }
}
