"""The gateway's request is a template; no value can break out of its placeholder."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from infra.errors import MisconfiguredError
from infra.settings import Settings
from notifier.channels.sms import SmsChannel, _filled

TEMPLATE = json.loads(
    '{"to": ["{to}"], "m": {"body": "A: {text} ({id})", "n": 1, "flag": true, "none": null}}'
)


def filled(to: str, text: str, id_: str) -> Any:
    return _filled(TEMPLATE, {"{to}": to, "{text}": text, "{id}": id_})


@given(some.text(), some.text(), some.text())
def test_every_placeholder_is_filled_and_nothing_else_changes(to: str, text: str, id_: str) -> None:
    assert filled(to, text, id_) == {
        "to": [to],
        "m": {"body": f"A: {text} ({id_})", "n": 1, "flag": True, "none": None},
    }


def test_filled_in_text_is_not_expanded_again() -> None:
    assert filled("{text}", '"}, {to}', "1")["m"]["body"] == 'A: "}, {to} (1)'
    assert filled("{text}", "x", "1")["to"] == ["{text}"]


def test_a_template_that_is_not_json_is_an_error_at_the_start() -> None:
    settings = Settings.model_validate({"sms_url": "http://gateway.invalid", "sms_request": "to={to}"})
    with pytest.raises(MisconfiguredError, match="is not JSON"):
        SmsChannel(settings)
