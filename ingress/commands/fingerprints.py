"""Fingerprints of requests: over what the client said, so that a new optional field does not change them.

Earlier releases wrote out the defaults of their bodies first. Their decisions have that fingerprint, and a
repeated request has to be recognised for ever; so both are made. The defaults are those of that time: fields
that were added later do not belong here.
"""

from typing import Any

from infra.crypto.sealing import DataKey
from infra.keys import Keys

Content = dict[str, Any]
FREE_TEXTS = ("reason",)

_POLICY = {
    "slot_minutes": 15,
    "min_notice_minutes": 60,
    "horizon_days": 90,
    "change_notice_minutes": 120,
    "max_active_per_patient": 3,
}
_DEFAULTS: dict[str, Content] = {
    "RegisterDoctor": {"id": None, "time_zone": None, "policy": _POLICY},
    "UpdateDoctor": dict.fromkeys(("name", "specialty", "time_zone", "visit_types", "policy", "active")),
    "BlockTime": {"note": None, "cancel_conflicting": False},
    "BookAppointment": {"reason": None},
    "RescheduleAppointment": {"doctor_id": None, "visit_type": None},
}
_POLICY_DEFAULTS: dict[str, Content] = {"RegisterDoctor": _POLICY, "UpdateDoctor": dict.fromkeys(_POLICY)}
_ITEM_DEFAULTS: dict[str, Content] = {
    "visit_types": {"buffer_before_minutes": 0, "buffer_after_minutes": 0},
    "hours": {"valid_from": None, "valid_until": None},
}


def fingerprints(
    keys: Keys, command_type: str, said: Content, data_key: DataKey | None = None
) -> tuple[str, ...]:
    """The fingerprint of a request, and those that earlier releases made of it.

    `said` is path and body, without the defaults of fields that the client left out. What a patient wrote in
    their own words goes through a hash under their key (`data_key`): a fingerprint is kept for ever, and must
    not confirm a guess at a text whose writer is forgotten.
    """
    type_ = {"type": command_type}
    found = keys.fingerprint(type_ | said), keys.fingerprint(type_ | _with_defaults(command_type, said))
    hidden = hidden_texts(said, data_key)
    return (keys.fingerprint(type_ | said | hidden), *found) if hidden else found


def hidden_texts(said: Content, data_key: DataKey | None) -> Content:
    """Free texts of a request as hashes, by field."""
    if data_key is None or not data_key.versioned:
        return {}  # ingresses of earlier releases may run: they make the fingerprint of the text itself
    return {field: {"mac": data_key.mac_text(said[field])} for field in FREE_TEXTS if said.get(field)}


def _with_defaults(command_type: str, said: Content) -> Content:
    content: Content = _DEFAULTS.get(command_type, {}) | said
    if isinstance(content.get("policy"), dict):
        content["policy"] = _POLICY_DEFAULTS[command_type] | content["policy"]
    for field, defaults in _ITEM_DEFAULTS.items():
        if isinstance(content.get(field), list):
            content[field] = [defaults | item for item in content[field]]
    return content
