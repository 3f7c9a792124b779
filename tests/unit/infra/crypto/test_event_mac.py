"""A MAC fits only what a worker wrote, where it wrote it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import MAC_HEADER, Message
from infra.crypto.event_mac import EventMac
from infra.errors import MisconfiguredError
from infra.settings import Settings

MAC = EventMac(bytes(32), "booking.events.v1")
MESSAGE = Message(b"doctor", b'{"a": 1}', [("ce_id", b"1"), ("ce_sequence", b"0001"), ("ce_type", b"t")])


@dataclass(frozen=True)
class Written:
    """A record as it is read back."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def written(message: Message = MESSAGE, partition: int = 3, mac: EventMac = MAC) -> Any:
    added = mac.added(message, partition)
    return Written(partition, added.key, added.value, tuple(added.headers))


def test_it_fits_what_was_written_and_is_the_same_each_time() -> None:
    assert MAC.fits(written())
    assert written() == written()
    assert MAC.added(MESSAGE, 3).headers[:-1] == MESSAGE.headers


@pytest.mark.parametrize(
    "changed",
    [
        {"partition": 4},
        {"key": b"doctoR"},
        {"key": None},
        {"value": b'{"a": 2}'},
        {"value": None},
        {"key": b"", "value": b'doctor{"a": 1}'},
    ],
    ids=str,
)
def test_it_covers_place_key_and_data(changed: dict[str, Any]) -> None:
    assert not MAC.fits(replace(written(), **changed))


def test_it_covers_each_header_and_their_order() -> None:
    record = written()
    *headers, mac = record.headers
    for index, (name, value) in enumerate(headers):
        for other in ((name, value + b"0"), (name + "0", value), (name, None)):
            bent = (*headers[:index], other, *headers[index + 1 :], mac)
            assert not MAC.fits(replace(record, headers=bent))
        assert not MAC.fits(replace(record, headers=(*headers[:index], *headers[index + 1 :], mac)))
    assert not MAC.fits(replace(record, headers=(*reversed(headers), mac)))
    assert not MAC.fits(replace(record, headers=(*headers, ("new", b"1"), mac)))


def test_none_empty_or_several_do_not_fit() -> None:
    *headers, mac = written().headers
    for macs in ((), ((MAC_HEADER, b""),), ((MAC_HEADER, None),), (mac, mac), (mac, (MAC_HEADER, b"x"))):
        assert not MAC.fits(replace(written(), headers=(*headers, *macs)))


def test_another_key_or_topic_has_others() -> None:
    assert not MAC.fits(written(mac=EventMac(b"\x01" * 32, "booking.events.v1")))
    assert not MAC.fits(written(mac=EventMac(bytes(32), "other.booking.events.v1")))


@pytest.mark.parametrize("content", ["", "00" * 31, "00" * 33, "x" * 64])
def test_a_key_file_with_something_else_is_an_error_that_does_not_show_it(
    content: str, tmp_path: Path
) -> None:
    file = tmp_path / "events.key"
    file.write_text(content)
    with pytest.raises(MisconfiguredError, match="does not hold the events' key") as caught:
        EventMac.load(Settings(events_key_file=file))
    assert not content or content not in str(caught.value)
