"""Visits are booked with one version of the zone data, and the services restarted with another.

Lagos is at +02:00 in the older data and at +01:00 in the locked ones.
"""

import asyncio
import contextlib
import email
import email.policy
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from booking_worker.main import running_worker
from infra import clock
from infra.settings import Settings
from infra.zones import zone_data_version
from ingress.main import running_ingress
from notifier.main import running_notifier
from ops.rebuild.fold_all import WorkersRunningError, fold_all
from ops.replay.verify import verify_all
from ops.zones import move, view
from tests.clinic import Clinic, Patient, ingress_process, worker_process
from tests.clinic import clinic as running_clinic
from tests.clinic import database as new_database
from tests.http.asking import get
from tests.notify.office import Office
from tests.replay.conftest import settled, state
from tests.waiting import until_async
from tests.zone_data import install_zone_data

LAGOS, OLDER = "Africa/Lagos", "2020.1"
MORNING = [{"weekday": day, "starts": "08:00", "ends": "10:00"} for day in range(1, 8)]
DAY = (clock.now() + timedelta(days=5)).date()


def at(wall: str, offset: str) -> str:
    return f"{DAY}T{wall}:00{offset}"


async def booked(clinic: Clinic, patient: Patient, doctor: str, wall: str) -> str:
    body = {"doctor_id": doctor, "starts_at": at(wall, "+02:00"), "visit_type": "checkup"}
    command = await clinic.confirmed("POST", "/v1/appointments", patient.headers, body)
    return str(command["appointment_id"])


class Book:
    """What was booked with the older data."""

    def __init__(self, clinic: Clinic, patients: list[Patient], visits: list[str], in_the_way: str) -> None:
        self.clinic = clinic
        self.patients = patients
        self.visits = visits
        self.in_the_way = in_the_way

    async def starts(self) -> list[str]:
        """When the visits start, as staff see it."""
        paths = [f"/v1/appointments/{id_}" for id_ in (*self.visits, self.in_the_way)]
        return [(await get(self.clinic.http, path, self.clinic.staff))["starts_at"] for path in paths]


@pytest.fixture
async def book(
    settings: Settings, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Book]:
    """Three visits of one doctor, one after the other, the first patient's next one elsewhere; and one of a
    third doctor."""
    install_zone_data(tmp_path / "older", OLDER, {LAGOS: "Africa/Maputo"})
    in_lagos = settings.model_copy(update={"time_zone": LAGOS})
    async with running_clinic(in_lagos, template, worker=False, serve=False) as clinic:
        with monkeypatch.context() as older:
            older.setenv("PYTHONPATH", str(tmp_path / "older"))
            children = [ingress_process(clinic.settings, tmp_path), worker_process(clinic.settings, tmp_path)]
        async with contextlib.AsyncExitStack() as up:
            for child in children:
                await child.start()
                up.push_async_callback(child.stop)
            patients = [await clinic.patient() for _ in range(4)]
            doctors = [await clinic.doctor(MORNING, time_zone=LAGOS) for _ in range(3)]
            visits = [
                await booked(clinic, patients[number], doctors[0], wall)
                for number, wall in enumerate(("08:00", "08:30", "09:00"))
            ]
            visits.append(await booked(clinic, patients[0], doctors[1], "09:00"))
            in_the_way = await booked(clinic, patients[3], doctors[2], "08:00")
            await settled(clinic.settings)
        yield Book(clinic, patients, visits, in_the_way)


async def test_visits_keep_their_local_time(book: Book, office: Office, template: str) -> None:
    clinic = book.clinic
    own = clinic.settings = office.smtp.settings(clinic.settings)
    with capture_logs() as logs:
        async with running_worker(own), running_ingress(own), running_notifier(own):
            warnings = [entry for entry in logs if entry.get("decided_with") == [OLDER]]
            assert [entry["visits_shifted"] for entry in warnings] == [5, 5], "of the worker and the ingress"
            promised = [at(wall, "+02:00") for wall in ("08:00", "08:30", "09:00", "09:00", "08:00")]
            assert await book.starts() == promised, "shown as they were promised"
            await office.smtp.receives(5)
            assert all("UTC+02:00" in text_of(mail.content) for mail in office.smtp.mails)

            third = (await get(clinic.http, f"/v1/appointments/{book.in_the_way}", clinic.staff))["doctor_id"]
            leave = {"starts_at": at("08:00", "+01:00"), "ends_at": at("09:00", "+01:00")}
            await clinic.confirmed("POST", f"/v1/doctors/{third}/time-off", clinic.staff, leave)
            await check_finds(own, [*book.visits, book.in_the_way])
            await verified(own)

            outcomes = {str(found.visit.appointment_id): found for found in await move.move_all(own)}

            assert {outcomes[id_].state for id_ in book.visits} == {"confirmed"}
            stuck = outcomes[book.in_the_way]
            assert (stuck.state, stuck.reason) == ("refused", "in_time_off")
            kept = [at(wall, "+01:00") for wall in ("08:00", "08:30", "09:00", "09:00")]
            assert await book.starts() == [*kept, at("08:00", "+02:00")]
            await office.smtp.receives(9)
            await the_mails_say_so(office)

            events = len(await clinic.events())
            [again] = await move.move_all(own)
            assert (str(again.visit.appointment_id), again.reason) == (book.in_the_way, "in_time_off")
            assert len(await clinic.events()) == events + 1, "one more refusal, and no visit moved twice"
            await settled(own)
            await verified(own)
    async with new_database(own, template) as empty:
        await until_async(lambda: nobody_decides(empty), "the worker has left its group", 30)
        assert await state(empty) == await state(own), "the same book from the events alone"


async def nobody_decides(empty: Settings) -> bool:
    try:
        await fold_all(empty)
    except WorkersRunningError:
        return False
    return True


async def check_finds(settings: Settings, ids: list[str]) -> None:
    found, versions = await move.look(settings)
    assert {str(visit.appointment_id) for visit in found.shifted} == set(ids)
    assert versions <= {OLDER, zone_data_version()}
    assert OLDER in versions


async def verified(settings: Settings) -> None:
    reports, _ = await verify_all(settings)
    assert [finding for report in reports for finding in report.findings] == []
    by_version: dict[str, int] = {}
    for report in reports:
        for version, count in report.hours_as_recorded.items():
            by_version[version] = by_version.get(version, 0) + count
    # Those at eight and half past eight lie before the hours by the rules of today.
    assert by_version == {OLDER: 3}


async def the_mails_say_so(office: Office) -> None:
    told = [text_of(mail.content) for mail in office.smtp.mails[5:]]
    day = f"{datetime.combine(DAY, datetime.min.time()):%A}, {DAY.day} {DAY:%B %Y}"
    assert len(told) == 4
    for text in told:
        assert "your appointment stays at the same local time." in text
    first = next(text for text in told if "Time: 08:00 to" in text)
    assert "Time: 08:00 to 08:30, West Africa Standard Time (UTC+01:00)\n" in first
    assert f"Previously: {day}, 08:00 to 08:30, UTC+02:00\n" in first


def text_of(content: str) -> str:
    body = email.message_from_string(content, policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_the_commands_print_and_exit_as_promised(
    book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    own = book.clinic.settings
    assert await asyncio.to_thread(view.check, own, False) is False
    table, summary, *_ = capsys.readouterr().out.split("zone data ")
    assert f"{DAY} 08:00+02:00 {LAGOS}  {DAY} 07:00+01:00  {DAY} 08:00+01:00" in table
    assert summary.startswith(f"{zone_data_version()}; the last decisions were made with {OLDER}\n5 booked")

    async with running_worker(own):
        assert await asyncio.to_thread(view.apply, own, True) is True
        moved = json.loads(capsys.readouterr().out)
        assert {visit["state"] for visit in moved} == {"confirmed"}
        assert {visit["appointment_id"] for visit in moved} == {*book.visits, book.in_the_way}
        assert await asyncio.to_thread(view.check, own, True) is True
    assert json.loads(capsys.readouterr().out)["visits"] == []
