"""Mails are read from the server's file as they arrive, with the values of their calendar parts."""

import json
from pathlib import Path

from tests.faults.monitors.mailbox import Mailbox

CALENDAR = (
    "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nBEGIN:VEVENT\r\n"
    "UID:11111111-0000-4000-8000-\r\n 000000000001@clinic\r\nSEQUENCE:3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
SAID = ("faults 3 at ten", "faults 7 at ten", "faults 7 at eleven")
PLAIN = "Subject: a reminder\r\n\r\nCome on time.\r\n"


def line(content: str, **said: object) -> str:
    mail = {
        "at": 1.5,
        "to": "pat@example.org",
        "id": "<1@x>",
        "subject": "s",
        "content": content,
    }
    return json.dumps(mail | said) + "\n"


def test_a_mail_names_the_change_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "mails.ndjson"
    path.write_text(line(f"Content-Type: text/calendar; method=CANCEL\r\n\r\n{CALENDAR}"))
    [mail] = Mailbox(path).poll()
    about = (mail.method, mail.appointment_id, mail.version)
    assert about == ("CANCEL", "11111111-0000-4000-8000-000000000001", 3)


def test_a_mail_without_a_calendar_part_is_about_no_change(tmp_path: Path) -> None:
    path = tmp_path / "mails.ndjson"
    path.write_text(line(PLAIN))
    [mail] = Mailbox(path).poll()
    assert (mail.method, mail.appointment_id, mail.version) == (None, None, None)


def test_each_mail_is_read_once_and_only_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "mails.ndjson"
    box = Mailbox(path)
    assert box.poll() == []
    path.write_text(line(PLAIN) + line(PLAIN, id="<2@x>")[:-3])
    assert [mail.id for mail in box.poll()] == ["<1@x>"]
    path.write_text(line(PLAIN) + line(PLAIN, id="<2@x>"))
    assert [mail.id for mail in box.poll()] == ["<2@x>"]
    assert len(box.mails) == 2


def test_mails_that_differ_only_in_the_specialty_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "mails.ndjson"
    path.write_text("".join(line(f"Subject: s\r\n\r\nDr. Osei, {said}.\r\n") for said in SAID))
    first, second, third = (mail.digest for mail in Mailbox(path).poll())
    assert first == second != third
