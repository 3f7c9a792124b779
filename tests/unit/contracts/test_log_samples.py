"""Records of released versions can always be read, with the same meaning.

A file of `log_samples/` holds records of one message type, as released. Add to them; never change one.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.cloudevents import decode_command, decode_event, decode_security_event
from contracts.commands import COMMAND_TYPES
from contracts.envelope import Message
from contracts.events import FACT_TYPES
from contracts.security import SECURITY_TYPES

FOLDER = Path(__file__).parent / "log_samples"
Sample = dict[str, Any]


def samples_of(models: tuple[type, ...]) -> list[Any]:
    return [
        pytest.param(sample, id=f"{model.__name__}-{number}")
        for model in models
        for number, sample in enumerate(json.loads((FOLDER / f"{model.__name__}.v1.json").read_text("utf-8")))
    ]


def headers_of(sample: Sample) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in sample["headers"].items()]


def says(read: Any, sample: Any) -> bool:
    """Whether everything in the sample is in what was read; a newer reader may have more."""
    match sample:
        case dict():
            return all(name in read and says(read[name], value) for name, value in sample.items())
        case list():
            return len(read) == len(sample) and all(map(says, read, sample))
        case _:
            return bool(read == sample)


def test_there_are_samples_of_every_message() -> None:
    names = {f"{model.__name__}.v1.json" for model in (*COMMAND_TYPES, *FACT_TYPES, *SECURITY_TYPES)}

    assert {path.name for path in FOLDER.iterdir()} == names


@pytest.mark.parametrize("sample", samples_of(COMMAND_TYPES))
def test_a_released_command_can_be_read(sample: Sample) -> None:
    value = json.dumps(sample["value"]).encode()

    command = decode_command(Message(sample["key"].encode(), value, headers_of(sample)))

    assert sample["headers"]["ce_type"] == f"clinic.booking.{type(command).__name__}.v1"
    assert says(command.model_dump(mode="json"), sample["value"])


@pytest.mark.parametrize("sample", samples_of(FACT_TYPES))
def test_a_released_event_can_be_read(sample: Sample) -> None:
    event = decode_event(Message(None, json.dumps(sample["value"]).encode(), headers_of(sample)))

    assert sample["headers"]["ce_type"] == f"clinic.booking.{type(event.fact).__name__}.v1"
    assert str(event.id) == sample["headers"]["ce_id"]
    assert event.sequence == int(sample["headers"]["ce_sequence"])
    written = event.context.model_dump(mode="json") | event.fact.model_dump(mode="json")
    assert says(written, sample["value"])


@pytest.mark.parametrize("sample", samples_of(SECURITY_TYPES))
def test_a_released_security_event_can_be_read(sample: Sample) -> None:
    value = json.dumps(sample["value"]).encode()

    event = decode_security_event(Message(sample["key"].encode(), value, headers_of(sample)))

    assert sample["headers"]["ce_type"] == f"clinic.security.{type(event).__name__}.v1"
    assert says(event.model_dump(mode="json"), sample["value"])


def test_a_missing_or_different_value_is_noticed() -> None:
    sample = {"a": [{"b": 1}], "c": None}

    assert says({"a": [{"b": 1, "new": 2}], "c": None, "new": 3}, sample)
    assert not says({"a": [{"b": 2}], "c": None}, sample)
    assert not says({"a": [], "c": None}, sample)
    assert not says({"a": [{"b": 1}, {"b": 1}], "c": None}, sample)
    assert not says({"a": [{"b": 1}]}, sample)
