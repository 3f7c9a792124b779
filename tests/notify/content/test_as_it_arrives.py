"""Mails as patients receive them: one calendar entry through every change, and a link that works."""

import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from notifier.main import running_notifier
from tests.clinic import Clinic, instant
from tests.http.asking import booked, cancel, get, reschedule
from tests.notify.channels.smtp_server import SmtpServer
from tests.unit.notifier.content.writing import calendar, person, plain
from tests.waiting import until_async

NAME = 'Zoë "=?utf-8?q?=0D=0A?=" <b>Weiß</b>, née O’Brien'


@dataclass(frozen=True)
class Post:
    """A clinic, and the server that receives its mails."""

    clinic: Clinic
    smtp: SmtpServer

    async def mail(self, count: int) -> EmailMessage:
        """The last of so many mails."""
        mails = await self.smtp.receives(count)
        return email.message_from_string(mails[count - 1].content, policy=email.policy.default)

    async def falls_due(self, hours_before: int) -> None:
        """Let time pass until reminders are due."""
        shifted = await self.clinic.postgres.execute(
            """
            UPDATE notify.notifications n
            SET due_at = n.due_at - s.ago, dated = n.dated - s.ago, deadline_at = n.deadline_at - s.ago
            FROM (SELECT id, due_at - now() AS ago FROM notify.notifications) AS s
            WHERE n.id = s.id AND n.state = 'planned' AND n.hours_before = $1
            """,
            hours_before,
        )
        assert shifted == "UPDATE 1"
        await self.clinic.postgres.execute("NOTIFY notify_due")


@pytest.fixture
async def post(clinic: Clinic, tmp_path: Path) -> AsyncIterator[Post]:
    """A running clinic with a notifier."""
    smtp = SmtpServer(tmp_path)
    await smtp.process.start()
    try:
        async with running_notifier(smtp.settings(clinic.settings)):
            yield Post(clinic, smtp)
    finally:
        await smtp.process.stop()


async def entry(clinic: Clinic, path: str) -> Any:
    """The appointment's calendar entry from the ingress."""
    response = await clinic.http.get(f"{path}/calendar.ics", headers=clinic.staff)
    whole: Any = Calendar.from_ical(response.content)
    [event] = whole.walk("VEVENT")
    return event


async def test_an_invitation_follows_its_appointment(post: Post) -> None:
    clinic = post.clinic
    patient, old_doctor = await clinic.patient(), await clinic.doctor()
    new_doctor = await clinic.doctor(name="Dr. Two", time_zone="Asia/Kathmandu")
    await clinic.http.patch("/v1/me", headers=patient.headers, json={"name": NAME})
    near, far = await clinic.slots(old_doctor), await clinic.slots(new_doctor)

    path = await booked(clinic, patient.headers, old_doctor, near[0])
    mails, entries = [await post.mail(1)], [await entry(clinic, path)]
    await reschedule(clinic, path, patient.headers, near[8])
    mails, entries = [*mails, await post.mail(2)], [*entries, await entry(clinic, path)]
    await reschedule(clinic, path, patient.headers, far[16], doctor_id=new_doctor)
    mails, entries = [*mails, await post.mail(3)], [*entries, await entry(clinic, path)]
    await cancel(clinic, path, clinic.staff)
    mails, entries = [*mails, await post.mail(4)], [*entries, await entry(clinic, path)]

    brought = [calendar(mail) for mail in mails]
    assert [whole["METHOD"] for whole, _ in brought] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
    events = [event for _, event in brought]
    assert [event["SEQUENCE"] for event in events] == [1, 2, 3, 4]
    starts = [instant(at) for at in (near[0], near[8], far[16], far[16])]
    assert [event.decoded("DTSTART") for event in events] == starts
    for event, shown in zip(events, entries, strict=True):
        for name in ("UID", "SEQUENCE", "SUMMARY", "STATUS"):
            assert event[name] == shown[name]
        for name in ("DTSTART", "DTEND"):
            assert event.decoded(name) == shown.decoded(name)
    assert {mail["In-Reply-To"] for mail in mails[1:]} == {mails[0]["Message-ID"]}
    for mail in mails:
        assert plain(mail).startswith(f"Hello {NAME},")
        assert person(mail, "To")[0] == NAME
    assert "Nepal Time (UTC+05:45)" in plain(mails[2])
    assert "cancelled by the clinic" in plain(mails[3])


async def test_a_reminders_link_ends_reminders(post: Post) -> None:
    clinic = post.clinic
    patient, doctor = await clinic.patient(), await clinic.doctor()
    await clinic.http.patch("/v1/me", headers=patient.headers, json={"language": "de"})
    at = max(await clinic.slots(doctor), key=datetime.fromisoformat)
    await booked(clinic, patient.headers, doctor, at)
    assert plain(await post.mail(1)).startswith("Guten Tag,\n\nIhr Termin ist bestätigt.")
    await post.falls_due(24)
    reminder = await post.mail(2)
    link = reminder["List-Unsubscribe"]
    assert link.startswith(f"<{clinic.settings.url}/v1/unsubscribe/")

    answer = await clinic.http.post(
        link[1:-1],
        content=reminder["List-Unsubscribe-Post"],
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 200
    assert not (await get(clinic.http, "/v1/me", patient.headers))["reminders"]
    await post.falls_due(2)

    async def dropped() -> bool:
        rows = await clinic.postgres.fetch(
            "SELECT state, reason FROM notify.notifications WHERE hours_before = 2"
        )
        return [(row["state"], row["reason"]) for row in rows] == [("dropped", "reminders_off")]

    await until_async(dropped, "the second reminder is dropped", 60)
    assert len(post.smtp.mails) == 2
    await cancel(clinic, await upcoming(clinic, patient.headers), patient.headers)
    assert plain(await post.mail(3)).startswith("Guten Tag,\n\nIhr Termin wurde wie gewünscht abgesagt"), (
        "all other mails are still sent"
    )


async def upcoming(clinic: Clinic, who: dict[str, str]) -> str:
    """The path of the only appointment."""
    [appointment] = (await get(clinic.http, "/v1/appointments", who))["items"]
    return f"/v1/appointments/{appointment['id']}"
