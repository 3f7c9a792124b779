"""The spans of a notification: its planning, and each attempt at sending it."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from infra import clock
from infra.settings import Settings
from tests.clinic import clinic as running_clinic
from tests.notify.channels.gateway import PHONE, choose_sms, running_gateway
from tests.notify.channels.smtp_server import SmtpServer
from tests.notify.facts import booked
from tests.notify.office import Office
from tests.processes import service
from tests.telemetry.collector import Collector, Received, collector

CLIENT, CONSUMER = 3, 5
CALLER = "7" * 16
MONTH, DAY = timedelta(days=30), timedelta(days=1)


def new_trace() -> tuple[str, str]:
    """The id of a trace that its client has sampled, and the header that continues it."""
    trace_id = clock.new_secret(16).hex()
    return trace_id, f"00-{trace_id}-{CALLER}-01"


def sent_in(collected: Collector, trace_id: str) -> list[Received]:
    """The spans of attempts."""
    return [span for span in collected.of_trace(trace_id) if span.name.startswith("send")]


def outcome(span: Received) -> str:
    return span.attributes["clinic.notification.outcome"].partition('"')[2].rstrip('"')


async def test_the_mail_about_a_booking_belongs_to_the_trace_of_its_request(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    smtp = SmtpServer(tmp_path)
    await smtp.process.start()
    trace_id, header = new_trace()
    with collector() as collected:
        async with running_clinic(smtp.settings(settings), template) as clinic:
            own = clinic.settings.model_copy(update={"otlp_endpoint": collected.url})
            notifier = service("notifier", tmp_path, own, "notifier-1")
            await notifier.start()
            patient, doctor = await clinic.patient(), await clinic.doctor(name="Dr. Quill")
            body = {
                "doctor_id": doctor,
                "starts_at": (await clinic.slots(doctor))[-1],
                "visit_type": "checkup",
            }
            caller = {**patient.headers, "traceparent": header}
            await clinic.confirmed("POST", "/v1/appointments", caller, body)
            [mail] = await smtp.receives(1)
            await notifier.stop()
            events = {(event.partition, event.offset): event for event in await clinic.events()}
    await smtp.process.stop()

    # The other services, without a collector, pass the context on as it came.
    [planned] = [span for span in collected.of_trace(trace_id) if span.kind == CONSUMER]
    [sent] = sent_in(collected, trace_id)
    assert (planned.service, planned.name) == ("notifier", f"process {own.namespace}booking.events.v1")
    assert (sent.service, sent.name, sent.kind) == ("notifier", "send mail", CLIENT)
    assert planned.parent_id == sent.parent_id == CALLER
    assert planned.started_ns < planned.ended_ns < sent.ended_ns
    assert not planned.failed
    assert not sent.failed
    [(partition, offset)] = [
        where for where, event in events.items() if b"AppointmentBooked" in dict(event.headers)["ce_type"]
    ]
    told = planned.attributes
    assert f'"{partition}"' in told["messaging.destination.partition.id"]
    assert told["messaging.kafka.offset"] == f"int_value: {offset}"
    assert own.namespace + "booking.events.v1" in told["messaging.destination.name"]
    assert '"kafka"' in told["messaging.system"]
    assert '"AppointmentBooked"' in told["clinic.event.type"]
    assert mail.id.strip("<").split("@")[0] in sent.attributes["clinic.notification.id"]
    assert '"confirmation"' in sent.attributes["clinic.notification.kind"]
    assert '"mail"' in sent.attributes["clinic.notification.channel"]
    assert outcome(sent) == "sent"
    for told_nobody in (mail.to, mail.subject, "Dr. Quill", str(patient.id)):
        assert all(told_nobody.encode() not in body for body in collected.bodies)


async def test_a_mail_server_that_refuses_fails_its_attempt_alone(office: Office) -> None:
    [patient] = await office.patients(1)
    trace_id, header = new_trace()
    office.smtp.rule("rcpt", "450 4.2.1 <someone@example.org> is busy", times=1)
    with collector() as collected:
        notifier = office.notifier(otlp_endpoint=collected.url)
        await notifier.start()
        await office.send(booked(patient, clock.now() + MONTH), traceparent=header)
        await office.reaches("planned", kind="confirmation", tries=1)
        await office.hurry()
        await office.reaches("sent")
        await notifier.stop()

        first, second = sent_in(collected, trace_id)
    assert (first.failed, outcome(first)) == (True, "planned")
    assert '"DeferredError"' in first.attributes["error.type"]
    assert (second.failed, outcome(second)) == (False, "sent")
    assert all(b"someone" not in body and b"busy" not in body for body in collected.bodies)


async def test_a_reminder_belongs_to_the_trace_of_its_booking(office: Office) -> None:
    by_mail, by_sms = await office.patients(2)
    traces = [new_trace(), new_trace()]
    async with running_gateway(office) as gateway:
        await choose_sms(office, by_sms)
        with collector() as collected:
            first, second = (office.notifier(number, otlp_endpoint=collected.url) for number in (1, 2))
            await first.start()
            for patient, (_, header) in zip((by_mail, by_sms), traces, strict=True):
                await office.send(booked(patient, clock.now() + MONTH), traceparent=header)
            await office.reaches("sent", 2, kind="confirmation")
            await first.stop()
            await passes(office, MONTH - DAY)
            await second.start()
            await office.reaches("sent", 2, kind="reminder")
            await second.stop()

            for (trace_id, _), name in zip(traces, ("send mail", "send text message"), strict=True):
                spans = sent_in(collected, trace_id)
                assert [(span.name, span.parent_id, outcome(span)) for span in spans] == [
                    (name, CALLER, "sent")
                ] * 2
                kinds = [span.attributes["clinic.notification.kind"] for span in spans]
                assert [kind.split('"')[1] for kind in kinds] == ["confirmation", "reminder"]
    assert len(gateway.requests) == 2
    assert all(PHONE.encode() not in body for body in collected.bodies)


async def passes(office: Office, time: timedelta) -> None:
    """Let time pass for reminders."""
    await office.postgres.execute(
        "UPDATE notify.notifications SET due_at = due_at - $1::interval, deadline_at = deadline_at - $1"
        " WHERE state = 'planned' AND hours_before = 24",
        time,
    )


async def planned_by_the_last_release(office: Office, patient: UUID, header: str) -> None:
    office.smtp.rule("connect", "drop")
    notifier = office.notifier()
    await notifier.start()
    await office.send(booked(patient, clock.now() + MONTH), traceparent=header)
    await office.reaches("planned", kind="confirmation")
    await notifier.stop()
    office.smtp.lift_all()
    await office.postgres.execute("UPDATE notify.notifications SET traceparent = NULL")


async def test_without_a_trace_it_is_sent_without_a_span(office: Office) -> None:
    """Such are the rows of the last release, and codes."""
    untraced, traced, stranger = await office.patients(3)
    trace_id, header = new_trace()
    with collector() as collected:
        await planned_by_the_last_release(office, untraced, header)
        notifier = office.notifier(2, otlp_endpoint=collected.url)
        await notifier.start()
        await office.challenge(stranger, code="86420975")
        await office.send(booked(traced, clock.now() + MONTH), traceparent="00-not-a-trace")
        await office.send(booked(traced, clock.now() + MONTH + DAY), traceparent=header)
        await office.reaches("sent", 4)
        await notifier.stop()

    assert "86420975" in "".join(mail.content for mail in office.smtp.mails)
    planned = f"process {office.settings.namespace}booking.events.v1"
    assert sorted(span.name for span in collected.spans) == [planned, "send mail"]
    assert {span.trace_id for span in collected.spans} == {trace_id}
    assert all(b"86420975" not in body for body in collected.bodies)
