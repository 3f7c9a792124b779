"""Documents that are made from the OpenAPI document are up to date."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ops.documents.__main__ import API, DATA_MODEL, ENVIRONMENT, POSTMAN
from ops.documents.api import openapi, operations, outline
from ops.documents.data_model import migrations_hash
from ops.documents.postman import collection, environment
from ops.documents.postman_story import STORY


def test_the_outline_of_the_api_is_up_to_date() -> None:
    assert API.read_text() == outline(), "make documents"


def test_the_collection_is_up_to_date() -> None:
    assert POSTMAN.read_text() == collection(), "make documents"
    assert ENVIRONMENT.read_text() == environment(), "make documents"


def test_the_data_model_is_made_from_these_migrations() -> None:
    # `tests/ops/test_data_model.py` compares the whole page with a migrated database.
    assert DATA_MODEL.read_text().splitlines()[-1] == f"<!-- {migrations_hash()} -->", "make documents"


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "request" in item:
            yield item["request"]
        else:
            yield from requests(item["item"])


def test_the_collection_has_every_operation_with_a_body_that_is_json_and_variables_that_it_sets() -> None:
    written = json.loads(POSTMAN.read_text())
    found = list(requests(written["item"]))
    told = sorted(step.operation for steps in STORY.values() for step in steps)
    assert told == sorted(operation["operationId"] for _, _, operation in operations(openapi()))
    assert len(found) == len(told)
    for request in found:
        if "body" in request:
            json.loads(request["body"]["raw"])
    variables = {variable["key"] for variable in written["variable"]}
    assert set(re.findall(r"\{\{(\w+)\}\}", POSTMAN.read_text())) <= variables
