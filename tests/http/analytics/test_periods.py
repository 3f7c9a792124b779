"""The periods and groups that figures are asked for, and who may ask."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from infra import clock
from ingress.analytics.period import DAYS_MAX
from tests.clinic import Clinic
from tests.http.analytics.figures import BERLIN, PATHS
from tests.http.asking import echoed, get, pointers, problem


@pytest.mark.parametrize("path", PATHS)
class TestAPeriod:
    async def test_is_the_last_30_days_unless_it_is_named(self, shared: Clinic, path: str) -> None:
        today = clock.now().astimezone(BERLIN).date()
        for query, first, last in (
            ({}, today - timedelta(days=29), today),
            ({"from": "2031-01-01"}, "2031-01-01", "2031-01-30"),
            ({"to": "2031-01-30"}, "2031-01-01", "2031-01-30"),
        ):
            found = (await shared.http.get(path, headers=shared.staff, params=query)).json()
            assert (found["from"], found["to"], found["by"]) == (str(first), str(last), "doctor")

    async def test_has_at_most_366_days(self, shared: Clinic, path: str) -> None:
        found = await get(shared.http, path, shared.staff, from_="2032-01-01", to="2032-12-31", by="day")
        assert len(found["items"]) == DAYS_MAX
        for first, last in (
            ("2032-01-01", "2033-01-01"),
            ("1900-01-01", "2199-12-31"),
            ("2031-01-02", "2031-01-01"),
        ):
            query = {"from": first, "to": last}
            answer = await shared.http.get(path, headers=shared.staff, params=query)
            assert pointers(answer) == ["/to"]

    @pytest.mark.parametrize("by", ["doctor", "day", "week", "month", "visit_type"])
    async def test_may_lie_at_the_ends_of_time(self, shared: Clinic, path: str, by: str) -> None:
        doctor_id = await shared.doctor(time_zone="Pacific/Kiritimati")
        for first, last in (("1900-01-01", "1900-01-03"), ("2199-12-30", "2199-12-31")):
            found = await get(shared.http, path, shared.staff, from_=first, to=last, by=by)
            if "utilisation" in path and by == "doctor":
                assert doctor_id in {item["group"] for item in found["items"]}
        for only in ({"to": "1900-01-01"}, {"from": "2199-12-31"}):
            answer = await shared.http.get(path, headers=shared.staff, params={**only, "by": by})
            assert answer.status_code == 200, answer.text

    async def test_that_is_none_is_named_and_not_repeated(self, shared: Clinic, path: str) -> None:
        bad = [
            "today",
            "",
            "2031-02-30",
            "2031-01-01T00:00:00Z",
            "1796112000",
            "0001-01-01",
            "9999-12-31",
            "\0",
        ]
        groups = ["year", "", "Doctor", "doctor,day", "\0", "ä"]
        for name, values in {"from": bad, "to": bad, "by": groups}.items():
            for value in values:
                answer = await shared.http.get(f"{path}?{name}={quote(value)}", headers=shared.staff)
                assert pointers(answer) == [f"/{name}"], value
                assert echoed(answer, [value]) == []

    async def test_is_for_staff(self, shared: Clinic, path: str) -> None:
        problem(await shared.http.get(path), 401, "unauthenticated")
        patient = await shared.patient()
        problem(await shared.http.get(path, headers=patient.headers), 403, "forbidden")


async def test_open_time_is_paid_for_by_its_days(shared: Clinic) -> None:
    async def left(last: str) -> int:
        query = {"from": "2035-01-01", "to": last}
        answer = await shared.http.get(PATHS[0], headers=shared.staff, params=query)
        assert answer.status_code == 200, answer.text
        return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])

    await shared.doctor()
    before = await left("2035-01-01")
    week = before - await left("2035-01-07")
    year = before - week - await left("2035-12-31")
    assert year > week > 0
