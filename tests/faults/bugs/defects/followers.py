"""Defects of what follows the events, and of how a stopped partition is reported."""

from tests.faults.bugs.defect import Change, Defect

WORKER = "booking_worker/"

DEFECTS = (
    Defect(
        "mail-forgotten",
        "A patient is not told that the visit was moved.",
        ("MAIL",),
        (
            Change(
                "notifier/plan/rules.py",
                "            return Kind.RESCHEDULE\n",
                "            return None\n",
            ),
        ),
    ),
    Defect(
        "mail-renamed",
        "A mail that is sent again has a different Message-ID.",
        ("MAIL",),
        (
            Change(
                "notifier/content/mail.py",
                'f"<{id_}@{domain}>"',
                "f\"<{__import__('uuid').uuid4()}@{domain}>\"",
            ),
        ),
        ("break-mail-server",),
    ),
    Defect(
        "entry-of-another-event",
        "The trail names events that do not exist.",
        ("AUDIT",),
        (Change("auditor/entries/booking.py", '"id": str(id_),', '"id": str(id_)[::-1],'),),
    ),
    Defect(
        "published-otherwise",
        "Consumers read other bytes than a restored clinic would publish.",
        ("I5", "I11"),
        (
            Change(
                f"{WORKER}publish/events.py",
                "self._mac.added(event.message(), self._partition)",
                'self._mac.added(event.message()._replace(value=event.data.encode() + b" "), '
                "self._partition)",
            ),
        ),
    ),
    Defect(
        "follower-stands",
        "No more mails are sent, and nothing reports it.",
        ("I11",),
        (
            Change(
                "notifier/plan/planner.py",
                "        doctors: dict[UUID, DoctorFact] = {}\n",
                "        while received[-1].sequence > 9:\n"
                "            await __import__('asyncio').sleep(3_600)\n"
                "        doctors: dict[UUID, DoctorFact] = {}\n",
            ),
        ),
        ("kill-worker",),
    ),
    Defect(
        "stops-without-a-word",
        "A partition stops without a line in the log.",
        ("I11",),
        (
            Change(
                "infra/kafka/assigned_partition.py",
                '_log.critical("partition stopped"',
                '_log.debug("partition stopped"',
            ),
        ),
        ("topic-made-again",),
    ),
    Defect(
        "stops-without-a-metric",
        "A partition stops without an alert.",
        ("I11",),
        (
            Change(
                "infra/kafka/assigned_partition.py",
                "self._gauge.set(1)",
                "self._gauge.set(0)",
            ),
        ),
        ("topic-made-again",),
    ),
)
