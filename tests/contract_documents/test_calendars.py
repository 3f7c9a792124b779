"""Every calendar object that leaves, read by a second implementation (ical4j; RFC 5545, RFC 5546, 7986)."""

import shutil
import subprocess
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infra import clock
from notifier.content import Kind
from notifier.content.invitation import invitation, method_of
from tests.clinic import CHECKUP, Clinic, instant
from tests.http.asking import booked, cancel, reschedule
from tests.unit.notifier.content.writing import ADA, CLINIC, notification, visit

POM = """
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>clinic</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies><dependency>
<groupId>org.mnode.ical4j</groupId><artifactId>ical4j</artifactId><version>4.1.1</version>
</dependency></dependencies>
</project>
"""
# Escapes of other formats, and of this one, are text like any other.
TYPED = r'A\nB\N \\; a,b; c:d "e" <b>&amp;</b> =?utf-8?q?f?= ^n %41 é' + "e\u0301"
Properties = dict[str, list[str]]
Read = Callable[[dict[str, bytes]], dict[str, Properties]]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads calendars by name: the properties of its events, of itself as `VCALENDAR;NAME`, and `error`."""
    if not shutil.which("mvn") or not shutil.which("javac"):
        pytest.skip("ical4j needs Maven and a JDK")
    folder = tmp_path_factory.mktemp("ical4j")
    (folder / "pom.xml").write_text(POM)
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if fetched.returncode:
        pytest.skip("Maven cannot fetch ical4j")

    def read(calendars: dict[str, bytes]) -> dict[str, Properties]:
        for name, content in calendars.items():
            (folder / name).write_bytes(content)
        program = Path(__file__).with_name("ReadCalendars.java")
        printed = subprocess.run(
            ["java", "-cp", f"{folder}/jars/*", program, *calendars],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert printed.returncode == 0, printed.stderr
        properties: dict[str, Properties] = {}
        for line in printed.stdout.splitlines():
            name, _, value = line.partition(" ")
            text = b64decode(value).decode()
            if name == "file":
                properties[text] = defaultdict(list)
            else:
                properties[text_of(properties)][name].append(text)
        return properties

    return read


def text_of(properties: dict[str, Properties]) -> str:
    """The name of the file that is being read."""
    return next(reversed(properties))


async def test_downloads(demo: Clinic, read: Read) -> None:
    before = clock.now().replace(microsecond=0)
    visit_type = {**CHECKUP, "name": TYPED}
    doctor_id, patient = await demo.doctor(name=TYPED, visit_types=[visit_type]), await demo.patient()
    free = await demo.slots(doctor_id)
    path = await booked(demo, patient.headers, doctor_id, free[0])
    calendars = {}

    async def download(name: str) -> None:
        response = await demo.http.get(f"{path}/calendar.ics", headers=patient.headers)
        assert response.status_code == 200
        calendars[name] = response.content

    await download("booked")
    await reschedule(demo, path, patient.headers, free[4])
    await download("moved")
    await cancel(demo, path, patient.headers)
    await download("cancelled")

    found = read(calendars)

    assert [properties["error"] for properties in found.values()] == [[], [], []]
    for properties in found.values():
        assert properties["SUMMARY"] == [f"{TYPED}, {TYPED}"]
        assert properties["ORGANIZER"] == [f"mailto:{demo.settings.mail_sender}"]
        assert properties["ORGANIZER;CN"] == properties["LOCATION"] == [demo.settings.name]
        assert before <= instant(properties["DTSTAMP"][0]) <= clock.now(), "when this object was made"
    assert [properties["SEQUENCE"] for properties in found.values()] == [["1"], ["2"], ["3"]]
    assert b"METHOD:PUBLISH" in calendars["moved"]
    assert b"METHOD:CANCEL" in calendars["cancelled"]


async def test_subscriptions(demo: Clinic, read: Read) -> None:
    visit_type = {**CHECKUP, "name": TYPED}
    doctor_id = await demo.doctor(name=TYPED, visit_types=[visit_type])
    patient, nobody = await demo.patient(), await demo.patient()
    free = await demo.slots(doctor_id)
    for at in (free[0], free[4]):
        await booked(demo, patient.headers, doctor_id, at)
    links = {
        "patient": ("/v1/me/calendar-link", patient.headers),
        "empty": ("/v1/me/calendar-link", nobody.headers),
        "doctor": (f"/v1/doctors/{doctor_id}/calendar-link", demo.staff),
    }
    calendars = {}
    for name, (path, who) in links.items():
        made = await demo.http.post(path, headers=who)
        calendars[name] = (await demo.http.get(made.json()["url"])).content

    found = read(calendars)

    assert {name: properties["error"] for name, properties in found.items()} == {name: [] for name in links}
    for properties in found.values():
        assert properties["VCALENDAR;REFRESH-INTERVAL"] == ["PT1H"]
        assert properties["VCALENDAR;REFRESH-INTERVAL;VALUE"] == ["DURATION"]
        assert properties["VCALENDAR;METHOD"] == []
    assert [len(properties["UID"]) for properties in found.values()] == [2, 0, 2]
    assert found["patient"]["SUMMARY"] == [f"Appointment, {demo.settings.name}"] * 2
    assert found["patient"]["UID"] == found["doctor"]["UID"]
    assert found["doctor"]["SUMMARY"] == [TYPED] * 2
    assert found["doctor"]["VCALENDAR;NAME"] == [TYPED]


def test_invitations(read: Read) -> None:
    typed = visit(doctor_name=TYPED, visit_type_name=TYPED)
    calendars = {}
    for kind in Kind:
        if method := method_of(kind):
            about = notification(kind, typed, recipient=replace(ADA, email="a%41@example.org"))
            calendars[kind.value] = invitation(about, replace(CLINIC, name=TYPED), method)

    found = read(calendars)

    assert list(found) == ["confirmation", "reschedule", "cancellation"]
    for properties in found.values():
        assert properties["error"] == []
        assert properties["SUMMARY"] == [f"{TYPED}, {TYPED}"]
        assert properties["LOCATION"] == [TYPED]
        assert properties["ATTENDEE"] == ["mailto:a%2541@example.org"]
        assert properties["ATTENDEE;CN"] == ["Ada Keller"]
