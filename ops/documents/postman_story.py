"""The requests of the Postman collection, in an order in which all of them can be run.

Each keeps from its answer what later ones need: a doctor is registered, the last free slot is booked, …
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STREAM = "A stream never ends: a run leaves it out unless the variable `streams` is `yes`."
BY_MAIL = "Needs what a mail says; without it, the answer is that it is not valid."
# A visit on the last day that is offered, so that notice periods are kept.
LAST_SLOT = "body.days.flatMap((day) => day.slots).at({})"


@dataclass(frozen=True)
class Told:
    """A request. `body` replaces fields of the operation's example; `keeps` are variables and, in JavaScript,
    which part of the answer `body` they keep; `otherwise` is the status without what it needs from outside;
    `state` is that of the command; the request is only sent if the variable `only_if` is `yes`.
    """

    operation: str
    body: Mapping[str, Any] = field(default_factory=dict)
    keeps: Mapping[str, str] = field(default_factory=dict)
    otherwise: int | None = None
    state: str = "confirmed"
    only_if: str | None = None
    as_staff: bool = False
    note: str = ""


SLOT = {"doctor_id": "{{doctor_id}}", "starts_at": "{{starts_at}}"}

STORY: Mapping[str, tuple[Told, ...]] = {
    "clinic": (
        Told("get_clinic"),
        Told("get_public_keys"),
        Told("get_asyncapi"),
        Told("live"),
        Told("ready"),
        Told("get_metrics"),
    ),
    "doctors": (
        Told("register_doctor", keeps={"doctor_id": "body.doctor_id"}),
        Told("preview_schedule"),
        Told("set_schedule"),
        Told("update_doctor"),
        Told("list_doctors"),
        Told("get_doctor"),
        Told("get_schedule"),
        Told(
            "get_availability",
            keeps={
                "starts_at": LAST_SLOT.format(-1) + ".starts_at",
                "ends_at": LAST_SLOT.format(-1) + ".ends_at",
                "other_starts_at": LAST_SLOT.format(-2) + ".starts_at",
            },
            note="Keeps the last two free slots, for the visit that is booked below.",
        ),
        Told("list_first_free"),
        Told("watch_availability", only_if="streams", note=STREAM),
    ),
    "login": (
        Told(
            "begin_login",
            body={"email": "{{email}}"},
            keeps={"challenge_id": "body.challenge_id"},
            note="Then give the variable `code` the code from the mail.",
        ),
        Told(
            "log_in",
            body={"challenge_id": "{{challenge_id}}", "code": "{{code}}"},
            keeps={"patient_token": "body.access_token", "refresh_token": "body.refresh_token"},
            otherwise=401,
            note=BY_MAIL,
        ),
        Told(
            "refresh_login",
            body={"refresh_token": "{{refresh_token}}"},
            keeps={"patient_token": "body.access_token", "refresh_token": "body.refresh_token"},
            otherwise=401,
            note="Needs the login above.",
        ),
        Told("list_sessions"),
        Told("end_session", otherwise=404, note="`session_id` is of the list above: of another device."),
        Told("begin_passkey_login"),
        Told("begin_passkey", keeps={"passkey_challenge_id": "body.challenge_id"}),
        Told(
            "add_passkey",
            body={"challenge_id": "{{passkey_challenge_id}}"},
            otherwise=401,
            note="Needs an authenticator, which signs the challenge.",
        ),
        Told("list_passkeys"),
        Told("remove_passkey", otherwise=404, note="`passkey_id` is of the list above."),
    ),
    "appointments": (
        Told(
            "book_appointment",
            body=SLOT,
            keeps={"appointment_id": "body.appointment_id", "receipt": "body.receipt"},
        ),
        Told("get_command"),
        Told("list_appointments"),
        Told("get_appointment"),
        Told("reschedule_appointment", body={"starts_at": "{{other_starts_at}}"}),
        Told("get_history"),
        Told("get_calendar_entry"),
        Told("record_outcome", state="refused", note="Refused: the visit has not begun yet."),
        Told("cancel_appointment"),
    ),
    "time off": (
        Told("preview_time_off", body={"starts_at": "{{starts_at}}", "ends_at": "{{ends_at}}"}),
        Told(
            "block_time",
            body={"starts_at": "{{starts_at}}", "ends_at": "{{ends_at}}"},
            keeps={"time_off_id": "body.time_off_id"},
        ),
        Told("get_calendar"),
        Told("list_calendars"),
        Told("unblock_time"),
    ),
    "calendar links": (
        Told("make_calendar_link", keeps={"secret": r"body.url.match(/([^/]+)\.ics$/)[1]"}),
        Told("get_calendar_link"),
        Told("get_feed"),
        Told("withdraw_calendar_link"),
        Told("make_doctor_calendar_link"),
        Told("get_doctor_calendar_link"),
        Told("withdraw_doctor_calendar_link"),
    ),
    "patients": (
        Told(
            "register_patient",
            body={"email": "nora.{{$guid}}@example.com"},
            keeps={"patient_id": "body.id", "patient_email": "body.email"},
        ),
        Told("get_patient"),
        Told("change_patient"),
        Told("write_note"),
        Told("list_notes"),
        Told("find_patients"),
        Told("search_patients", body={"email": "{{patient_email}}"}),
        Told("look_up_patients", body={"ids": ["{{patient_id}}"]}),
    ),
    "me": (
        Told("get_me"),
        Told("change_me"),
        Told("export_me"),
        Told(
            "change_email",
            body={"email": "ada.{{$guid}}@example.com"},
            keeps={"email_challenge_id": "body.challenge_id"},
        ),
        Told(
            "confirm_email",
            body={"challenge_id": "{{email_challenge_id}}", "code": "{{email_code}}"},
            otherwise=401,
            note=BY_MAIL,
        ),
        Told("change_phone", keeps={"phone_challenge_id": "body.challenge_id"}),
        Told(
            "confirm_phone",
            body={"challenge_id": "{{phone_challenge_id}}", "code": "{{phone_code}}"},
            otherwise=401,
            note=BY_MAIL,
        ),
        *(
            Told(name, otherwise=404, note=BY_MAIL)
            for name in ("ask_unsubscribe", "unsubscribe", "ask_undo", "undo")
        ),
    ),
    "staff": (
        Told("get_utilisation"),
        Told("get_outcomes"),
        Told("get_lead_time"),
        Told("export_audit"),
        Told("watch", only_if="streams", note=STREAM),
    ),
    "the end": (
        Told(
            "forget_me",
            only_if="forget",
            note="Deletes the patient's data: a run leaves it out unless the variable `forget` is `yes`.",
        ),
        Told("log_out", body={"refresh_token": "{{refresh_token}}"}),
        Told("end_sessions", as_staff=True, note="Of the member of staff."),
    ),
}
"""By the name of the folder. Every operation of the API is in one of them."""

GIVEN = {
    "url": "http://127.0.0.1:8000",
    "email": "ada.postman@example.org",
    "staff_token": "",
    "patient_token": "",
}
"""Variables that somebody fills in, and what they are at first; `log_in` sets the patient's token as well."""

DEFAULTS = {
    **dict.fromkeys(("code", "email_code", "phone_code"), "00000000"),
    **dict.fromkeys(
        ("session_id", "passkey_id", "challenge_id", "passkey_challenge_id"),
        "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    ),
    "token": "of-a-link-in-a-mail",
    "refresh_token": "6KvJ0mZl3n1ZB2xqkXw7yQm2c5m9m4y8J0q1Zr3uTtE",
    "streams": "no",
    "forget": "no",
}
"""Variables that a run can do without."""
