"""From the model's words to those of requests and answers, and back."""

import re
from datetime import date, time
from typing import Any

import httpx

from infra import clock
from tests.book import practice, steps


def half(number: int) -> time:
    return time(number // 2, 30 * (number % 2)) if number < 48 else practice.DAY_END


def by_turns(ids: list[str], number: int) -> str:
    """One of them; one that nobody knows if there are none."""
    return ids[number % len(ids)] if ids else str(clock.new_id())


def answer(response: httpx.Response) -> str:
    """`confirmed`, the reason of a refusal (and the count, where one is told), or a problem's code."""
    body = response.json()
    if response.status_code != 200:
        return str(body.get("code", response.text))
    if body["refusal"] is None:
        return str(body["state"])
    reason, detail = body["refusal"]["reason"], body["refusal"]["detail"]
    return f"{reason} {re.findall('[0-9]+', detail)[0]}" if reason == "conflicts_with_bookings" else reason


def visit_types(codes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"code": code, "name": code, **steps.VISIT_TYPES[code]} for code in codes]


def modelled(types: list[dict[str, Any]]) -> tuple[practice.VisitType, ...]:
    return tuple(practice.VisitType(**{n: v for n, v in fields.items() if n != "name"}) for fields in types)


def written(hours: practice.Hours) -> dict[str, Any]:
    """Weekly hours as in a request."""
    body: dict[str, Any] = {"weekday": hours.weekday}
    ends = "24:00" if hours.ends == practice.DAY_END else f"{hours.ends:%H:%M}"
    body |= {"starts": f"{hours.starts:%H:%M}", "ends": ends}
    if hours.valid_from != date.min:
        body["valid_from"] = hours.valid_from.isoformat()
    if hours.valid_until != date.max:
        body["valid_until"] = hours.valid_until.isoformat()
    return body
