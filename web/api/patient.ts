/** Reads that several pages of a patient share. */
import { api, body, FailedError, type Appointment, type Doctor } from "./client"
import { keep, kept } from "./kept.svelte"
import { own } from "./session.svelte"

export type Visit = { appointment: Appointment; doctor: Doctor }

const PAGE = 200

const doctors = new Map<string, Promise<Doctor>>()

/** A doctor, asked for once.
 * @throws FailedError */
export function doctorOf(id: string): Promise<Doctor> {
  const known = doctors.get(id)
  if (known) return known
  const asked = body(api.GET("/v1/doctors/{doctor_id}", { params: { path: { doctor_id: id } } }))
  doctors.set(id, asked)
  asked.catch(() => doctors.delete(id))
  return asked
}

/** An appointment of the patient, with its doctor.
 * @throws FailedError */
export async function visitOf(id: string): Promise<Visit> {
  const params = { path: { appointment_id: id } }
  const appointment = await body(own.GET("/v1/appointments/{appointment_id}", { params }))
  return { appointment, doctor: await doctorOf(appointment.doctor_id) }
}

/** All appointments of the patient, the earliest first.
 * @throws FailedError */
export async function allVisits(): Promise<Visit[]> {
  const appointments: Appointment[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await body(own.GET("/v1/appointments", { params: { query: { cursor, limit: PAGE } } }))
    appointments.push(...page.items)
    if (!page.next_cursor) break
    cursor = page.next_cursor
  }
  return Promise.all(
    appointments.map(async (appointment) => ({ appointment, doctor: await doctorOf(appointment.doctor_id) })),
  )
}

/** Too late for the patient to change or cancel it: the doctor's notice has begun. */
export const isTooLate = ({ appointment, doctor }: Visit, now: number) =>
  Date.parse(appointment.starts_at) - doctor.policy.change_notice_minutes * 60_000 < now

/** Booked, and not over. */
export const isUpcoming = ({ appointment }: Visit, now: number) =>
  appointment.status === "booked" && Date.parse(appointment.ends_at) > now

/** Keeps the next one of these on this device. */
export function keepNext(visits: Visit[]): void {
  const next = visits.find((visit) => isUpcoming(visit, Date.now()))
  if (!next) return keep(null)
  const { appointment, doctor } = next
  keep({
    starts_at: appointment.starts_at,
    ends_at: appointment.ends_at,
    time_zone: doctor.time_zone,
    doctor: doctor.name,
    specialty: doctor.specialty,
  })
}

/** Keeps the next one as it is now, if this device keeps it. */
export async function renewKept(): Promise<void> {
  if (!kept.isAsked) return
  try {
    const visits = await allVisits()
    if (kept.isAsked) keepNext(visits)
  } catch (failed) {
    if (!(failed instanceof FailedError)) throw failed
  }
}
