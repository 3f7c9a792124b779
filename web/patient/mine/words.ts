/** What became of an appointment, in sentences. */
import type { components } from "../../api/openapi"
import type { Appointment } from "../../api/client"
import { refusalWords, t } from "../../i18n"
import { when } from "../../time/format"

type Entry = components["schemas"]["HistoryEntry"]

/** "Cancelled by you" */
export function statusWords({ status, cancelled_by }: Appointment): string {
  if (status === "cancelled") return cancelled_by === "patient" ? t("status.cancelledByYou") : t("status.cancelled")
  if (status === "completed") return t("status.completed")
  if (status === "no_show") return t("status.no_show")
  return t("status.booked")
}

/** "You booked it for Monday, 30 November, 09:00." */
export function historyWords(entry: Entry, zone: string): string {
  const time = entry.starts_at ? when(entry.starts_at, zone) : ""
  const byYou = entry.actor === "patient"
  switch (entry.event) {
    case "AppointmentBooked":
      return byYou ? t("history.bookedByYou", { time }) : t("history.booked", { time })
    case "AppointmentRescheduled":
      return byYou ? t("history.movedByYou", { time }) : t("history.moved", { time })
    case "AppointmentCancelled":
      return entry.cancelled_by === "patient" ? t("history.cancelledByYou") : t("history.cancelled")
    case "OutcomeRecorded":
      return entry.outcome === "completed" ? t("status.completed") : t("status.no_show")
    case "CommandRefused":
      return t("history.refused", { reason: refusalWords(entry.refusal ?? "") })
    default:
      return t("history.other")
  }
}
