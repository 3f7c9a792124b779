"""Records as they stand on logs out there: they are read for ever, and say what they said.

A file of `log_samples/` holds records of one message type, as released. Add to them; never change one.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.commands import COMMANDS
from contracts.envelope import decode_command, decode_event
from contracts.events import FACTS
from contracts.security import SECURITY_MODELS, decode_security_event

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
    """Whether everything in the sample is in what was read; a newer reader may know more."""
    match sample:
        case dict():
            return all(name in read and says(read[name], value) for name, value in sample.items())
        case list():
            return len(read) == len(sample) and all(map(says, read, sample))
        case _:
            return bool(read == sample)


def test_there_are_samples_of_every_message() -> None:
    names = {f"{model.__name__}.v1.json" for model in (*COMMANDS, *FACTS, *SECURITY_MODELS)}

    assert {path.name for path in FOLDER.iterdir()} == names


@pytest.mark.parametrize("sample", samples_of(COMMANDS))
def test_a_command_on_the_log_is_read_for_ever(sample: Sample) -> None:
    value = json.dumps(sample["value"]).encode()

    command = decode_command(sample["key"].encode(), value, headers_of(sample))

    assert sample["headers"]["ce_type"] == f"clinic.booking.{type(command).__name__}.v1"
    assert says(command.model_dump(mode="json"), sample["value"])


@pytest.mark.parametrize("sample", samples_of(FACTS))
def test_an_event_on_the_log_is_read_for_ever(sample: Sample) -> None:
    event = decode_event(json.dumps(sample["value"]).encode(), headers_of(sample))

    assert sample["headers"]["ce_type"] == f"clinic.booking.{type(event.fact).__name__}.v1"
    assert (str(event.id), str(event.sequence)) == (
        sample["headers"]["ce_id"],
        sample["headers"]["ce_sequence"],
    )
    told = event.context.model_dump(mode="json") | event.fact.model_dump(mode="json")
    assert says(told, sample["value"])


@pytest.mark.parametrize("sample", samples_of(SECURITY_MODELS))
def test_a_security_event_on_the_log_is_read_for_ever(sample: Sample) -> None:
    value = json.dumps(sample["value"]).encode()

    event = decode_security_event(sample["key"].encode(), value, headers_of(sample))

    assert sample["headers"]["ce_type"] == f"clinic.security.{type(event).__name__}.v1"
    assert says(event.model_dump(mode="json"), sample["value"])


def test_what_is_missing_or_other_is_noticed() -> None:
    sample = {"a": [{"b": 1}], "c": None}

    assert says({"a": [{"b": 1, "new": 2}], "c": None, "new": 3}, sample)
    assert not says({"a": [{"b": 2}], "c": None}, sample)
    assert not says({"a": [], "c": None}, sample)
    assert not says({"a": [{"b": 1}, {"b": 1}], "c": None}, sample)
    assert not says({"a": [{"b": 1}]}, sample)
