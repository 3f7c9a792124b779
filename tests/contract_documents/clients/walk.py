"""The README's booking, by a client made from the OpenAPI document. Prints a line per booking."""

import sys

from clinic_client import AuthenticatedClient  # type: ignore[import-not-found]
from clinic_client.api.appointments import book_appointment  # type: ignore[import-not-found]
from clinic_client.api.doctors import get_availability, list_doctors  # type: ignore[import-not-found]
from clinic_client.api.patients import get_me  # type: ignore[import-not-found]
from clinic_client.models import BookBody  # type: ignore[import-not-found]

url, token = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token) as client:
    doctor = list_doctors.sync(client=client).items[0]
    days = get_availability.sync(doctor.id, client=client).days
    slot = next(slot for day in days for slot in day.slots)
    for key in ("first", "second", "first"):
        body = BookBody(doctor_id=doctor.id, starts_at=slot.starts_at, visit_type="checkup")
        command = book_appointment.sync(
            client=client, body=body, idempotency_key=f"python-{key}", prefer="wait=5"
        )
        print(command.state, command.refusal and command.refusal.reason, command.appointment_id)
with AuthenticatedClient(base_url=url, token="nobody's") as client:
    print(get_me.sync(client=client).code)
