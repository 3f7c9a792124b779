"""`clinic notify` and `clinic mail`, as an operator uses them."""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from infra import clock
from notifier.main import running_notifier
from ops.embedded import EmbeddedStack
from tests.notify.facts import booked, cancelled
from tests.notify.office import Office, bookings
from tests.processes import environment

MONTH = timedelta(days=30)
SUBJECT = r"Grüße[/b]\[/b]:bee:"  # This is not markup.


def clinic(office: Office, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env={**environment(office.settings), "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


async def listed(office: Office, *arguments: str) -> list[dict[str, Any]]:
    done = await asyncio.to_thread(clinic, office, "notify", "list", "--json", *arguments)
    assert done.stderr == ""
    notifications: list[dict[str, Any]] = json.loads(done.stdout)
    return notifications


async def test_undeliverable_notifications_are_listed_and_retried(office: Office) -> None:
    refusal = office.smtp.rule("rcpt", "550 5.1.1 unknown", times=2)
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(*bookings(await office.patients(3)))
        await office.reaches("undeliverable", 2)
        await office.reaches("sent", 1)

        notifications = await listed(office)
        assert [(notification["kind"], notification["reason"]) for notification in notifications] == [
            ("confirmation", "refused for its recipient: 550 5.1.1")
        ] * 2
        table = await asyncio.to_thread(clinic, office, "notify", "list")
        assert table.returncode == 1
        assert notifications[0]["id"] in table.stdout
        assert len(await listed(office, "--state", "sent")) == 1

        refusal.lift()
        done = await asyncio.to_thread(clinic, office, "notify", "retry", notifications[0]["id"])
        assert (done.returncode, done.stdout) == (0, f"{notifications[0]['id']}: will be retried\n")
        await office.reaches("sent", 2)
        done = await asyncio.to_thread(clinic, office, "notify", "retry", "--all")
        assert done.returncode == 0
        await office.reaches("sent", 3)
    assert await listed(office) == []
    assert len({mail.id for mail in office.smtp.mails}) == len(office.smtp.mails) == 3


async def test_obsolete_notifications_are_not_retried(office: Office) -> None:
    office.smtp.rule("rcpt", "550 5.1.1 unknown", times=2)
    first, second = bookings(await office.patients(2))
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(first, second)
        await office.reaches("undeliverable", 2)
        await office.send(cancelled(first))
        await office.reaches("sent", 1)
        await office.postgres.execute(
            "UPDATE notify.appointments SET ends_at = now() WHERE id = $1", second.appointment_id
        )
        notifications = {
            notification["appointment_id"]: notification["id"] for notification in await listed(office)
        }
        done = await asyncio.to_thread(clinic, office, "notify", "retry", *notifications.values())
    assert done.returncode == 1
    assert set(done.stdout.splitlines()) == {
        f"{notifications[str(first.appointment_id)]}: not retried: the appointment has changed since",
        f"{notifications[str(second.appointment_id)]}: not retried: the visit is over",
    }
    assert {row["state"] for row in await office.rows(kind="confirmation")} == {"undeliverable"}


async def test_a_notification_is_shown_in_full(office: Office) -> None:
    await office.doctor()
    async with running_notifier(office.settings):
        await office.send(booked((await office.patients(1))[0], clock.now() + MONTH))
        await office.reaches("sent")
    [row] = await office.rows(state="sent")
    shown = json.loads((await asyncio.to_thread(clinic, office, "notify", "show", str(row["id"]))).stdout)
    assert (shown["kind"], shown["state"], shown["sends"]) == ("confirmation", "sent", 1)
    unknown = await asyncio.to_thread(clinic, office, "notify", "show", str(clock.new_id()))
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("No notification ")


def test_misuse_is_explained(tmp_path: Path) -> None:
    for arguments in (
        ["list", "--state", "lost"],
        ["list", "--last", "9" * 20],
        ["retry"],
        ["retry", "--all", str(clock.new_id())],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ops.cli", "notify", *arguments, "--data", tmp_path],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2, done


async def test_the_sinks_keep_and_number_their_messages(stack: EmbeddedStack) -> None:
    settings, data = stack.settings, ("--data", str(stack.folder.path))

    def mail(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "ops.cli", "mail", *arguments, *data]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60)

    before = json.loads((await asyncio.to_thread(mail, "list", "--json", "--last", "1")).stdout)
    number = before[0]["number"] if before else 0
    await send_mail(settings.smtp_port, "Jörg <j@example.org>", SUBJECT)
    assert settings.sms_url is not None
    async with httpx.AsyncClient(trust_env=False) as http:
        text = {"to": "+4930123456", "text": "Moin"}
        answer = await http.post(settings.sms_url.get_secret_value(), json=text)
        assert answer.status_code == 202
        assert (await http.post(settings.sms_url.get_secret_value(), content=b"{")).status_code == 400

    done = await asyncio.to_thread(mail, "list", "--json", "--last", "2")
    assert [
        (message["number"], message["channel"], message["subject"]) for message in json.loads(done.stdout)
    ] == [
        (number + 1, "mail", SUBJECT),
        (number + 2, "sms", "Moin"),
    ]
    assert SUBJECT in (await asyncio.to_thread(mail, "list")).stdout
    shown = (await asyncio.to_thread(mail, "show", str(number + 1), "--part", "text")).stdout
    assert shown == "Zum Beispiel.\n.\n"
    raw = (await asyncio.to_thread(mail, "show", str(number + 1))).stdout
    assert "X-Envelope-To: j@example.org" in raw
    missing = await asyncio.to_thread(mail, "show", str(number + 1), "--part", "calendar")
    assert (missing.returncode, missing.stderr) == (1, f"Message {number + 1} has no text/calendar.\n")

    await stack.processes["mail"].kill()
    await stack.processes["mail"].start()
    await send_mail(settings.smtp_port, "k@example.org", "after a restart")
    done = await asyncio.to_thread(mail, "list", "--json", "--last", "1")
    assert [message["number"] for message in json.loads(done.stdout)] == [number + 3]


async def send_mail(port: int, to: str, subject: str) -> None:
    from email.message import EmailMessage

    import aiosmtplib

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "clinic@example.org", to, subject
    message.set_content("Zum Beispiel.\n.\n")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)
