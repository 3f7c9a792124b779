"""Whatever a body says, the answer is no 5xx and repeats nothing of it, and nobody else sees it.

`make test` sends a few examples, always the same; `make security` goes on with each operation for a minute.
"""

import asyncio
import json
import re
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra import clock
from infra.tokens import Role
from ingress.http.access import ACCESS
from ops.documents.api import openapi, operations
from tests.clinic import Clinic, Patient
from tests.fuzzing.chance import changed_body, go_on, is_ours
from tests.fuzzing.samples import json_bodies

EXAMPLES = 10
# Shorter texts may be in an answer by chance.
TELLING = 8
TRIES = 5
NO_ID = str(UUID(int=7))
BODIES = json_bodies()
PATHS = {operation["operationId"]: (method, path) for path, method, operation in operations(openapi())}
VIEWS = ("/v1/me", "/v1/me/export", "/v1/me/sessions", "/v1/me/passkeys", "/v1/appointments")


# The clinic runs in another thread of this process, which hypothesis cannot know: it jitters by `random`.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def path_of(template: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], NO_ID), template)


def texts(value: Any) -> set[str]:
    """All texts in a JSON value that would be recognised, names of fields aside."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return {text for part in parts for text in texts(part)}
    return {value} if isinstance(value, str) and len(value) >= TELLING else set()


@pytest.mark.parametrize("operation", BODIES)
async def test_any_body(shared: Clinic, ids: dict[str, str], operation: str, fuzz_seconds: float) -> None:
    method, template = PATHS[operation]
    sample, known = BODIES[operation], texts(BODIES[operation])
    loop, caller = asyncio.get_running_loop(), await shared.patient()
    is_for_patients = operation not in ACCESS or Role.PATIENT in ACCESS[operation]
    said: set[str] = set()

    def check(example: tuple[Any, bytes]) -> None:
        nonlocal caller
        value, content = example
        who = caller.headers if is_for_patients else shared.staff
        key = {"Idempotency-Key": clock.new_id().hex, "Content-Type": "application/json"}
        for _ in range(TRIES):
            answer = client.request(method, path_of(template, ids), headers={**who, **key}, content=content)
            if answer.status_code != 503:  # a machine that is too busy for its own log
                break
        assert answer.status_code < 500, answer.text
        new = {text for text in texts(value) - known if not is_ours(text)}
        said.update(new)
        for name, repeated in answer.headers.items():
            assert not [text for text in new if text in repeated], name
        if answer.status_code >= 400:
            names = json.dumps(value)  # an error points to a field by its name
            repeated_texts = [text for text in new if text in answer.text]
            assert not [text for text in repeated_texts if f"{json.dumps(text)}:" not in names], answer.text
        if answer.status_code == 401 and is_for_patients:
            caller = asyncio.run_coroutine_threadsafe(shared.patient(), loop).result()

    with httpx.Client(base_url=shared.settings.url, timeout=60, trust_env=False) as client:
        await asyncio.to_thread(go_on, check, changed_body(sample), EXAMPLES, fuzz_seconds)
    if is_for_patients:
        assert not await seen_by_others(shared, said)


async def seen_by_others(clinic: Clinic, said: set[str]) -> list[str]:
    """Those of the texts that another patient can read."""
    other: Patient = await clinic.patient()
    answers = [await clinic.http.get(view, headers=other.headers) for view in VIEWS]
    assert [answer.status_code for answer in answers] == [200] * len(VIEWS)
    seen = "".join(answer.text for answer in answers)
    return [text for text in said if json.dumps(text)[1:-1] in seen or text in seen]
