"""The Postman collection, run by newman from its first request to its last: no test of an answer fails.

Where npm's registry cannot be reached, the test is skipped.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ops.documents.__main__ import ENVIRONMENT, POSTMAN
from ops.documents.postman_story import STORY
from ops.web import toolchain
from tests.clinic import Clinic
from tests.contract_documents.test_clients import run
from tests.http.login.logins import ask, code_of, new_address

LOCKED = Path(__file__).with_name("newman")
STEPS = [step for steps in STORY.values() for step in steps]


@pytest.fixture(scope="module")
async def newman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of newman, installed as locked."""
    folder = tmp_path_factory.mktemp("newman")
    shutil.copytree(LOCKED, folder, dirs_exist_ok=True)
    await run(*toolchain(), "ci", "--ignore-scripts", cwd=folder, skip="npm cannot fetch newman")
    return folder / "node_modules" / "newman" / "bin" / "newman.js"


async def answers(newman: Path, clinic: Clinic, folder: Path, **variables: str) -> dict[str, int]:
    """Run the whole collection; nothing of it may fail. The statuses, by the names of the requests."""
    report = folder / "report.json"
    staff_token = clinic.staff["Authorization"].removeprefix("Bearer ")
    given = {"url": clinic.settings.url, "staff_token": staff_token, **variables}
    options = [word for name, value in given.items() for word in ("--env-var", f"{name}={value}")]
    reporter = ["--reporters", "cli,json", "--reporter-json-export", str(report)]
    node, _ = toolchain()
    await run(node, newman, "run", POSTMAN, "-e", ENVIRONMENT, *options, *reporter, cwd=folder)
    found: dict[str, Any] = json.loads(report.read_text())["run"]
    assert found["failures"] == []
    assert found["stats"]["assertions"]["total"] > 2 * len(found["executions"])
    return {it["item"]["name"]: it["response"]["code"] for it in found["executions"] if "response" in it}


def names(*left_out: str) -> set[str]:
    return {step.operation.replace("_", " ") for step in STEPS if step.only_if not in left_out}


async def test_with_the_code_of_a_mail(newman: Path, clinic: Clinic, tmp_path: Path) -> None:
    email = new_address()
    challenge_id = await ask(clinic, email)
    code = await code_of(clinic, challenge_id)

    found = await answers(
        newman, clinic, tmp_path, email=email, challenge_id=challenge_id, code=code, forget="yes"
    )

    assert found.keys() == names("streams")
    assert (found["log in"], found["refresh login"], found["forget me"]) == (200, 200, 204)


async def test_with_a_token_of_the_command_line(newman: Path, clinic: Clinic, tmp_path: Path) -> None:
    token = (await clinic.patient()).headers["Authorization"].removeprefix("Bearer ")

    found = await answers(newman, clinic, tmp_path, patient_token=token)

    assert found.keys() == names("streams", "forget")
    assert (found["log in"], found["get me"]) == (401, 200)
