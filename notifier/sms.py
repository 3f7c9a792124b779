"""Text messages through any gateway that takes them by POST; its request is a template in the settings."""

import json
import re
from typing import Any

import httpx

from infra.errors import MisconfiguredError
from infra.settings import Settings
from notifier.channels import AwayError, Begin, BrokenError, DeferredError, NotDeliveredError, RefusedError
from notifier.content import Clinic, Letter, compose_sms

# Some gateways say these of one recipient; where they mean all, somebody can mend it.
NOT_NOW = (
    httpx.codes.PAYMENT_REQUIRED,
    httpx.codes.FORBIDDEN,
    httpx.codes.NOT_FOUND,
    httpx.codes.REQUEST_TIMEOUT,
    httpx.codes.CONFLICT,
    httpx.codes.TOO_EARLY,
    httpx.codes.TOO_MANY_REQUESTS,
)
_PLACE = re.compile(r"\{(?:to|text|id)\}")


class SmsChannel:
    """Text messages through the clinic's gateway."""

    name = "sms"

    def __init__(self, settings: Settings) -> None:
        """`sms_url` is set. Raises MisconfiguredError: the request's template is not JSON."""
        assert settings.sms_url is not None, "asked before"
        self.accept_timeout_s = settings.sms_timeout_s
        self._url = settings.sms_url.get_secret_value()
        try:
            self._template = json.loads(settings.sms_request)
        except ValueError:
            raise MisconfiguredError("CLINIC_SMS_REQUEST is not JSON.") from None
        token = settings.sms_token
        self._http = httpx.AsyncClient(
            timeout=settings.sms_timeout_s,
            headers={"Authorization": f"Bearer {token.get_secret_value()}"} if token else {},
            trust_env=False,
        )

    async def deliver(self, letter: Letter, clinic: Clinic, begin: Begin) -> None:
        """See `Channel`. The gateway is told the letter's id, so that it can know a repeat."""
        if letter.recipient.phone is None:
            raise ValueError("no phone")
        values = {
            "{to}": letter.recipient.phone,
            "{text}": compose_sms(letter, clinic),
            "{id}": str(letter.id),
        }
        body = _filled(self._template, values)
        await begin()
        try:
            answer = await self._http.post(self._url, json=body, headers={"Idempotency-Key": str(letter.id)})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise AwayError("cannot connect") from None
        except httpx.HTTPError as error:
            raise BrokenError(f"{type(error).__name__} over the request") from None
        problem = _problem(answer.status_code)
        if problem is not None:
            raise problem

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _filled(template: Any, values: dict[str, str]) -> Any:
    """The template with its strings filled in: of parsed JSON, so that no text can leave its string."""
    match template:
        case str():
            # In one pass, so that a text with {to} in it stays as it is.
            return _PLACE.sub(lambda place: values[place[0]], template)
        case list():
            return [_filled(item, values) for item in template]
        case dict():
            return {name: _filled(item, values) for name, item in template.items()}
        case _:
            return template


def _problem(status: int) -> NotDeliveredError | None:
    if 200 <= status <= 299:
        return None
    if status == httpx.codes.UNAUTHORIZED:
        return AwayError(f"the gateway does not let us in: {status}")
    if status in NOT_NOW:
        return DeferredError(f"put off: {status}")
    if 400 <= status <= 499:
        return RefusedError(f"refused: {status}")
    return BrokenError(f"the gateway answered {status}")
