"""Text messages through any gateway that accepts a POST request; the settings contain its template."""

import json
import re
from typing import Any

import httpx

from infra.crypto.tls import client_context
from infra.errors import MisconfiguredError
from infra.settings import Settings
from notifier.channels.base import (
    Begin,
    ConnectionLostError,
    DeferredError,
    NotDeliveredError,
    RefusedError,
    ServerUnavailableError,
)
from notifier.content import Clinic, Notification, compose_sms

# Some gateways respond so for a single recipient; if it concerns all of them, an operator can fix it.
NOT_NOW = (
    httpx.codes.PAYMENT_REQUIRED,
    httpx.codes.FORBIDDEN,
    httpx.codes.NOT_FOUND,
    httpx.codes.REQUEST_TIMEOUT,
    httpx.codes.CONFLICT,
    httpx.codes.TOO_EARLY,
    httpx.codes.TOO_MANY_REQUESTS,
)
_PLACEHOLDER = re.compile(r"\{(?:to|text|id)\}")


class SmsChannel:
    """Text messages through the clinic's gateway."""

    name = "sms"
    message = "text message"

    def __init__(self, settings: Settings) -> None:
        """`sms_url` is set. Raises MisconfiguredError: the request's template is not JSON, or the file
        with the authorities cannot be read.
        """
        assert settings.sms_url is not None, "checked by the caller"
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
            verify=client_context(settings.ca_file),
        )

    async def deliver(self, notification: Notification, clinic: Clinic, begin: Begin) -> None:
        """See `Channel`. The gateway gets the notification's id, so that it can recognise a repeat."""
        if notification.recipient.phone is None:
            raise ValueError("no phone")
        values = {
            "{to}": notification.recipient.phone,
            "{text}": compose_sms(notification, clinic),
            "{id}": str(notification.id),
        }
        body = _filled(self._template, values)
        await begin()
        try:
            answer = await self._http.post(
                self._url, json=body, headers={"Idempotency-Key": str(notification.id)}
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise ServerUnavailableError("cannot connect") from None
        except httpx.HTTPError as error:
            raise ConnectionLostError(f"{type(error).__name__} during the request") from None
        problem = _problem(answer.status_code)
        if problem is not None:
            raise problem

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _filled(template: Any, values: dict[str, str]) -> Any:
    """The template with its strings filled in. It is parsed JSON, so that no text can leave its string."""
    match template:
        case str():
            # In one pass, so that a text with {to} in it stays as it is.
            return _PLACEHOLDER.sub(lambda found: values[found[0]], template)
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
        return ServerUnavailableError(f"login rejected: {status}")
    if status in NOT_NOW:
        return DeferredError(f"put off: {status}")
    if 400 <= status <= 499:
        return RefusedError(f"refused: {status}")
    return ConnectionLostError(f"the gateway answered {status}")
