"""The table of who may call which operation, and on whose data. What has no row here is denied."""

from collections.abc import Mapping
from enum import Enum

from infra.tokens import Role


class Reach(Enum):
    """Whose data an operation reaches: the caller's own, or everybody's."""

    OWN = "own"
    ALL = "all"


Row = Mapping[Role, Reach]

_EACH_THEIR_OWN: Row = dict.fromkeys(Role, Reach.OWN)
_PATIENTS_THEIR_OWN: Row = {Role.PATIENT: Reach.OWN}
_STAFF: Row = {Role.STAFF: Reach.ALL, Role.ADMIN: Reach.ALL}
_PATIENTS_THEIR_OWN_AND_STAFF: Row = {**_PATIENTS_THEIR_OWN, **_STAFF}

ACCESS: Mapping[str, Row] = {
    "book_appointment": _PATIENTS_THEIR_OWN_AND_STAFF,
    "reschedule_appointment": _PATIENTS_THEIR_OWN_AND_STAFF,
    "cancel_appointment": _PATIENTS_THEIR_OWN_AND_STAFF,
    "record_outcome": _STAFF,
    "list_appointments": _PATIENTS_THEIR_OWN_AND_STAFF,
    "get_appointment": _PATIENTS_THEIR_OWN_AND_STAFF,
    "get_history": _PATIENTS_THEIR_OWN_AND_STAFF,
    "get_calendar_entry": _PATIENTS_THEIR_OWN_AND_STAFF,
    "get_command": _PATIENTS_THEIR_OWN_AND_STAFF,
    "register_doctor": _STAFF,
    "update_doctor": _STAFF,
    "set_schedule": _STAFF,
    "block_time": _STAFF,
    "unblock_time": _STAFF,
    "get_calendar": _STAFF,
    "list_calendars": _STAFF,
    "preview_schedule": _STAFF,
    "preview_time_off": _STAFF,
    "register_patient": _STAFF,
    "find_patients": _STAFF,
    "search_patients": _STAFF,
    "look_up_patients": _STAFF,
    "get_patient": _STAFF,
    "change_patient": _STAFF,
    "list_notes": _STAFF,
    "write_note": _STAFF,
    "get_me": _PATIENTS_THEIR_OWN,
    "change_me": _PATIENTS_THEIR_OWN,
    "forget_me": _PATIENTS_THEIR_OWN,
    "export_me": _PATIENTS_THEIR_OWN,
    "change_email": _PATIENTS_THEIR_OWN,
    "confirm_email": _PATIENTS_THEIR_OWN,
    "change_phone": _PATIENTS_THEIR_OWN,
    "confirm_phone": _PATIENTS_THEIR_OWN,
    "list_sessions": _EACH_THEIR_OWN,
    "end_sessions": _EACH_THEIR_OWN,
    "end_session": _EACH_THEIR_OWN,
    "list_passkeys": _EACH_THEIR_OWN,
    "begin_passkey": _EACH_THEIR_OWN,
    "add_passkey": _EACH_THEIR_OWN,
    "remove_passkey": _EACH_THEIR_OWN,
    "get_calendar_link": _PATIENTS_THEIR_OWN,
    "make_calendar_link": _PATIENTS_THEIR_OWN,
    "withdraw_calendar_link": _PATIENTS_THEIR_OWN,
    "get_doctor_calendar_link": _STAFF,
    "make_doctor_calendar_link": _STAFF,
    "withdraw_doctor_calendar_link": _STAFF,
    "watch": _STAFF,
    "get_utilisation": _STAFF,
    "get_outcomes": _STAFF,
    "get_lead_time": _STAFF,
    "export_audit": _STAFF,
}
"""By the name of the operation, which is its id in the OpenAPI document."""

STEP_UP = frozenset(
    {
        "forget_me",
        "export_me",
        "change_email",
        "change_phone",
        "begin_passkey",
        "add_passkey",
        "make_calendar_link",
        "make_doctor_calendar_link",
    }
)
"""Operations that need a login of the last minutes (`infra.tokens.RECENT`): a page that was left open, or a
token that was stolen, is not enough."""
