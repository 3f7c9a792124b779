"""The committed schemas are current, and the last release and this code read each other's messages.

`baseline/` holds a copy of the schemas as of the last release. It is copied from `contracts/schemas/` by hand
when a release is made, or when a message is added; never to make this test pass.
"""

import json
import re
from pathlib import Path

import pytest

from contracts.commands import COMMAND_TYPES
from contracts.events import FACT_TYPES
from contracts.schemas import FOLDER, message_schemas, write_all, written
from contracts.security import SECURITY_TYPES
from tests.unit.contracts.compatibility import breaking_changes
from tests.unit.contracts.examples import COMMAND_EXAMPLES, FACT_EXAMPLES, context
from tests.unit.contracts.security_examples import SECURITY_EXAMPLES

BASELINE = Path(__file__).parent / "baseline"
NAMES = sorted(message_schemas())


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}


def test_there_is_a_schema_of_every_message() -> None:
    models = (*COMMAND_TYPES, *FACT_TYPES, *SECURITY_TYPES)
    assert {f"{model.__name__}.v1.json" for model in models} == set(NAMES)


def test_the_committed_schemas_are_what_the_code_reads() -> None:
    today = {name: written(schema) for name, schema in message_schemas().items()}

    assert files(FOLDER) == today, "run: python -m contracts.schemas"


def test_every_released_message_is_still_there_and_every_new_one_has_a_baseline() -> None:
    assert sorted(files(BASELINE)) == NAMES, "copy a new message's schema from contracts/schemas/"


@pytest.mark.parametrize("name", sorted(files(BASELINE)))
def test_the_last_release_and_todays_code_read_each_other(name: str) -> None:
    old = json.loads((BASELINE / name).read_text(encoding="utf-8"))

    assert breaking_changes(old, message_schemas()[name]) == []


def test_an_event_is_context_and_fact_in_one_object() -> None:
    schema = message_schemas()["AppointmentRescheduled.v1.json"]

    assert {"command_id", "decided_at", "source", "appointment_id", "previous"} <= schema["properties"].keys()
    assert {"command_id", "decided_at", "source", "appointment_id", "previous"} <= set(schema["required"])
    assert {"RecordedActor", "Source", "PreviousVisit"} <= schema["$defs"].keys()


def test_a_schema_names_every_field_that_is_written() -> None:
    schemas = message_schemas()
    commands = {type(command).__name__: command.model_dump(mode="json") for command in COMMAND_EXAMPLES}
    events = {
        type(fact).__name__: context.model_dump(mode="json") | fact.model_dump(mode="json")
        for fact in FACT_EXAMPLES
    }

    security = {type(event).__name__: event.model_dump(mode="json") for event in SECURITY_EXAMPLES}

    for name, message in (commands | events | security).items():
        assert schemas[f"{name}.v1.json"]["properties"].keys() == message.keys()


def test_a_schema_has_its_types_name_as_the_title() -> None:
    titles = {name: schema["title"] for name, schema in message_schemas().items()}

    security = {f"{model.__name__}.v1.json" for model in SECURITY_TYPES}
    assert titles == {
        name: f"clinic.{'security' if name in security else 'booking'}.{name.removesuffix('.json')}"
        for name in NAMES
    }


def test_every_format_is_a_registered_one() -> None:
    """JSON Schema 2020-12, section 7.3."""
    formats = set(re.findall(r'"format": "([^"]+)"', "".join(files(FOLDER).values())))
    assert formats == {"date", "date-time", "uuid"}


def test_the_generator_writes_the_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "BookTable.v1.json").write_text("{}")

    write_all(tmp_path)

    assert files(tmp_path) == files(FOLDER)
