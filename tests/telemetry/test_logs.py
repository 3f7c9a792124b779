"""A request's id in the logs of other services."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from contracts.topics import COMMANDS_TOPIC
from infra import clock
from infra.kafka.connection import topic_name
from infra.kafka.producer import start_producer
from infra.settings import Settings
from tests.clinic import clinic as running_clinic
from tests.clinic import worker_process
from tests.notify.facts import booked
from tests.notify.office import Office
from tests.waiting import until_async


def lines(log: Path, event: str) -> list[dict[str, Any]]:
    """The lines of that event in a service's log."""
    logged = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in logged if line["event"].startswith(event)]


async def test_a_dead_letter_names_the_request_of_its_command(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    trace_id = clock.new_secret(16).hex()
    async with running_clinic(settings, template, worker=False, serve=False) as clinic:
        worker = worker_process(clinic.settings, tmp_path)
        await worker.start()
        producer = await start_producer(clinic.settings, "nobody")
        for headers in ([("traceparent", f"00-{trace_id}-{'7' * 16}-00".encode())], []):
            await producer.send_and_wait(
                topic_name(clinic.settings, COMMANDS_TOPIC), b"{", partition=0, headers=headers
            )
        await producer.stop()

        async def both() -> bool:
            return len(lines(worker.log_path, "dead letter")) == 2

        await until_async(both, "both are dead letters", 30)
        await worker.stop()
    known, unknown = lines(worker.log_path, "dead letter")
    assert known["request_id"] == trace_id
    assert "request_id" not in unknown


async def test_an_undeliverable_mail_names_the_request_of_its_booking(office: Office) -> None:
    [patient] = await office.patients(1)
    trace_id = clock.new_secret(16).hex()
    office.smtp.rule("rcpt", "550 5.1.1 there is no such person")
    notifier = office.notifier()
    await notifier.start()
    await office.send(
        booked(patient, clock.now() + timedelta(days=9)), traceparent=f"00-{trace_id}-{'7' * 16}-00"
    )
    await office.reaches("undeliverable", kind="confirmation")
    await notifier.stop()

    [line] = lines(notifier.log_path, "undeliverable")
    assert line["request_id"] == trace_id
