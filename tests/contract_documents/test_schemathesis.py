"""Schemathesis sends a running clinic requests that its OpenAPI document allows, and many that it forbids.

Every answer has to be in the document: status, media type, headers, body and problem code; none may be a 5xx.
Seeded, so that two runs send the same requests as far as the clinic's own ids allow.
"""

import asyncio

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.engine import StopReason, events, from_schema

from tests.clinic import Clinic

SEED = 20261125
EXAMPLES_MAX = 100
ENDLESS = ["watch", "watch_availability"]
LEAVING = "forget_me"


def configuration(url: str, headers: dict[str, str], linked: bool) -> SchemathesisConfig:
    """The requests, their number, and the checks of the answers: all but those named here."""
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": url,
            "headers": headers,
            "continue-on-failure": True,
            "generation": {"deterministic": True, "max-examples": EXAMPLES_MAX, "database": "none"},
            "checks": {
                # Much that a schema cannot express is refused with 422: blank names, days in the past.
                "positive_data_acceptance": {"enabled": False},
                # The id of an appointment is known before the decision whether there will be one.
                "ensure_resource_availability": {"enabled": False},
                # Cancelling (DELETE) frees the time; the appointment stays readable.
                "use_after_free": {"enabled": False},
            },
            "phases": {"stateful": {"enabled": linked}},
        }
    )


def findings(url: str, headers: dict[str, str], only: list[str] | None) -> tuple[set[str], list[str]]:
    """Send requests as one caller: the operations not reached, and the errors in answers."""
    schema = schemathesis.openapi.from_url(
        f"{url}/openapi.json", config=configuration(url, headers, only != [LEAVING])
    )
    chosen = schema.include(operation_id=only) if only else schema.exclude(path="/v1/me")
    asking = chosen.exclude(operation_id=ENDLESS)
    unasked = {result.ok().label for result in asking.get_all_operations() if isinstance(result, Ok)}
    found: list[str] = []
    for event in from_schema(asking).execute():
        if isinstance(event, events.ScenarioFinished):
            unasked -= {case.value.operation.label for case in event.recorder.cases.values()}
            found += [
                f"[{event.phase.value}] {failure.operation}: {failure.title}: {failure.message}"
                for nodes in event.recorder.checks.values()
                for node in nodes
                if node.failure_info
                for failure in [node.failure_info.failure]
            ]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(getattr(event, "value", None) or getattr(event, "exception", None)))
        elif isinstance(event, events.EngineFinished):
            assert event.stop_reason is StopReason.COMPLETED, event.stop_reason
    return unasked, found


PATIENTS = [
    "book_appointment", "list_appointments", "get_appointment", "get_history", "get_calendar_entry",
    "reschedule_appointment", "cancel_appointment", "get_command", "get_me", "change_me",
    "get_calendar_link", "make_calendar_link", "withdraw_calendar_link",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # some examples are long
@pytest.mark.parametrize("caller", ["staff", "patient", "leaver"])
async def test_every_answer_is_documented(demo: Clinic, caller: str) -> None:
    headers = demo.staff if caller == "staff" else (await demo.patient()).headers
    only = {"staff": None, "patient": PATIENTS, "leaver": [LEAVING]}[caller]
    unasked, found = await asyncio.to_thread(findings, demo.settings.url, headers, only)
    assert not unasked
    assert not found, "\n\n".join(sorted(set(found)))
