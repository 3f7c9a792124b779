"""What letters are called: the same letter has the same name, however often it is planned or sent."""

from uuid import UUID, uuid5

NOTIFICATIONS = UUID("6f7c2b0e-2f0f-5f0a-9a55-0d6a3f1f4c11")
"""The name space of the notifications' ids (RFC 9562, version 5)."""

FIRST_VERSION = 1


def notification_id(appointment_id: UUID, version: int, kind: str, hours: int | None) -> UUID:
    """The id of the one letter of this kind about this version of the appointment."""
    return uuid5(NOTIFICATIONS, f"{appointment_id} {version} {kind} {hours or ''}")


def confirmation_id(appointment_id: UUID) -> UUID:
    """The id of the first letter about the appointment, which the later ones answer to."""
    return notification_id(appointment_id, FIRST_VERSION, "confirmation", None)
