"""Table and topic are equal byte by byte, the trail has every event once, every change is mailed once."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.checker import Entry, Followers, Mail, StoredEvent
from tests.faults.checker.messages import instant
from tests.unit.faults.checker.story import Story
from tests.unit.faults.checker.topics import BEN, PAT, SAM, Message

METHODS = {
    "AppointmentBooked": "REQUEST",
    "AppointmentRescheduled": "REQUEST",
    "AppointmentCancelled": "CANCEL",
}
ENDED = instant("2030-01-08T00:00:00Z").timestamp()


def type_of(event: Message) -> str:
    return (event.headers["ce_type"] or b"").decode().split(".")[-2]


class Followed(Story):
    """A story with the results of the services that follow the events."""

    followers: Followers


def followed() -> Followed:
    """Two visits, one moved and one cancelled; everything is audited and mailed."""
    story = Followed()
    moved, cancelled = story.book(PAT, "09:00"), story.book(SAM, "10:00")
    story.move(moved, "09:00", BEN)
    story.cancel(cancelled)
    for event in story.events:
        described(event)
    story.followers = Followers(ended_at=ENDED, unknown=[(ENDED - 60, ENDED)])
    for event in story.events:
        partition, sequence = event.position[0], int(event.headers["ce_sequence"] or b"")
        id_ = (event.headers["ce_id"] or b"").decode()
        story.followers.entries.append(Entry(partition, sequence, id_, sequence))
        story.followers.stored.append(stored(event, partition, sequence, id_))
        if method := METHODS.get(type_of(event)):
            mail = mail_about(event, method)
            story.followers.mails.append(mail)
            story.followers.sends[mail.id] = 1
    return story


def described(event: Message) -> None:
    """With the headers that a worker writes, in its order."""
    written = event.headers
    event.headers = {
        "ce_specversion": b"1.0",
        "ce_id": written["ce_id"],
        "ce_type": written["ce_type"],
        "ce_source": b"/clinic/booking-worker/partitions/%d" % event.position[0],
        "ce_time": event.data["decided_at"].encode(),
        "ce_subject": b"subject",
        "content-type": b"application/json",
        "ce_sequence": (written["ce_sequence"] or b"").zfill(20),
        "ce_mac": b"0123456789abcdef" * 2,
    }


def stored(event: Message, partition: int, sequence: int, id_: str) -> StoredEvent:
    return StoredEvent(
        partition=partition,
        sequence=sequence,
        id=id_,
        type=type_of(event),
        key=(event.key or b"").decode(),
        subject="subject",
        decided_at=instant(event.data["decided_at"]),
        traceparent=None,
        data=json.dumps(event.data),
    )


def mail_about(event: Message, method: str) -> Mail:
    id_, version = event.data["appointment_id"], event.data["version"]
    name = f"<{id_} {version}@example.org>"
    return Mail(name, "pat@example.org", "a digest", ENDED - 60, method, id_, version)


def test_complete_results_are_fine() -> None:
    followed().finds()


@pytest.mark.parametrize("change", [{"data": "{}"}, {"key": "other"}, {"subject": "other"}, {"id": "other"}])
def test_an_event_that_differs_on_the_topic_is_found(change: dict[str, Any]) -> None:
    story = followed()
    story.followers.stored[3] = replace(story.followers.stored[3], **change)
    story.finds("I5: event 1/2 has another (value|key|headers) on the topic")


def test_an_event_without_a_mac_is_found() -> None:
    story = followed()
    story.events[3].headers["ce_mac"] = b""
    story.finds("I5: event [0-9]/[0-9] ends without a MAC")


def test_an_event_missing_on_the_topic_is_found() -> None:
    story = followed()
    last = max(
        (event for event in story.followers.stored if event.partition == 0), key=lambda event: event.sequence
    )
    story.followers.stored.append(replace(last, sequence=last.sequence + 1))
    story.finds(f"I5: event 0/{last.sequence + 1} is in the table alone")


def test_an_event_missing_in_the_trail_is_found() -> None:
    story = followed()
    story.followers.entries.pop()
    story.finds("AUDIT: partition . has . events, and the trail . entries: it lacks")


def test_an_event_twice_in_the_trail_is_found() -> None:
    story = followed()
    story.followers.entries.append(replace(story.followers.entries[0], number=99))
    story.finds("AUDIT: partition 0 has . events, and the trail . entries")


def test_an_entry_about_another_event_is_found() -> None:
    story = followed()
    story.followers.entries[0] = replace(story.followers.entries[0], event_id="another")
    story.finds("AUDIT: entry 0/1 is about event another")


def test_a_change_without_a_mail_is_found() -> None:
    story = followed()
    gone = story.followers.mails.pop()
    assert gone.method == "CANCEL"
    story.finds("MAIL: .*AppointmentCancelled.* and its patient got no mail about it")


def test_a_change_that_was_superseded_before_its_mail_is_fine() -> None:
    story = followed()
    story.followers.mails = [mail for mail in story.followers.mails if mail.version != 1]
    story.finds()


def test_a_visit_in_the_past_needs_no_mail() -> None:
    story = followed()
    story.followers.mails.clear()
    story.followers.ended_at = instant("2030-01-14T09:30:00Z").timestamp() + 3600
    story.finds()


def test_a_mail_about_a_change_that_never_happened_is_found() -> None:
    story = followed()
    story.followers.mails[0] = replace(story.followers.mails[0], version=7)
    story.finds("MAIL: mail .* tells of REQUEST version 7, which never happened")


def test_a_mail_sent_twice_under_two_ids_is_found() -> None:
    story = followed()
    story.followers.mails.append(replace(story.followers.mails[0], id="<another@example.org>"))
    story.followers.sends["<another@example.org>"] = 1
    story.finds("MAIL: appointment .*, version 1, was mailed as")


def test_a_mail_sent_twice_with_different_content_is_found() -> None:
    story = followed()
    first = story.followers.mails[0]
    story.followers.mails.append(replace(first, digest="another"))
    story.followers.sends[first.id] = 2
    story.finds("MAIL: mail .* came 2 times, and not the same")


def test_a_mail_sent_twice_is_fine_only_if_it_was_begun_twice() -> None:
    story = followed()
    first = story.followers.mails[0]
    story.followers.mails.append(first)
    story.finds("MAIL: mail .* came 2 times, and was sent 1 times")
    story.followers.sends[first.id] = 2
    story.finds()


def test_a_mail_from_before_a_restore_may_be_sent_again() -> None:
    story = followed()
    first = story.followers.mails[0]
    story.followers.mails.append(replace(first, at=ENDED - 1))
    story.followers.restored_at = [ENDED - 30]
    story.finds()


def test_a_mail_may_read_differently_only_across_a_restore() -> None:
    story = followed()
    first = story.followers.mails[0]
    again = replace(first, at=ENDED - 20, digest="other")
    story.followers.mails += [again, replace(first, at=ENDED - 1, digest="third")]
    story.followers.unknown = [(0.0, ENDED)]
    story.followers.restored_at = [ENDED - 30, ENDED - 10]
    story.finds()
    story.followers.restored_at = [ENDED - 30]
    story.followers.sends[first.id] = 2
    story.finds("MAIL: mail .* came 3 times, and not the same")


@pytest.mark.parametrize(
    ("command", "invariant"), [("clinic audit verify", "AUDIT"), ("clinic replay verify", "I8")]
)
def test_a_finding_of_the_clinics_own_checks_is_found(command: str, invariant: str) -> None:
    story = followed()
    story.followers.commands[command] = "status 1: something"
    story.finds(f"{invariant}: `{command}` finds: status 1: something")


def test_a_mail_sent_twice_for_no_reason_is_found() -> None:
    story = followed()
    first = story.followers.mails[0]
    story.followers.mails.append(first)
    story.followers.sends[first.id] = 2
    story.followers.unknown = [(ENDED - 500, ENDED - 400)]
    story.finds("MAIL: mail .* came twice, and nothing was in the way of knowing that it had arrived")
