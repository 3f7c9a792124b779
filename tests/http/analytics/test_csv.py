"""Figures as CSV, for spreadsheets."""

import csv
import io

import pytest

from tests.clinic import Clinic
from tests.http.analytics.figures import PATHS, at, hours, visit
from tests.http.asking import get

CSV = "text/csv; charset=utf-8; header=present"


@pytest.mark.parametrize("path", PATHS)
async def test_has_the_figures_of_the_json(shared: Clinic, path: str) -> None:
    doctor_id = await shared.doctor(hours("09:00", "10:00", "2031-01-06", "2031-01-06"), name='Dr. "Ä", 博士')
    await visit(shared, doctor_id, at("2031-01-06", 9))
    for by in ("day", "doctor"):
        period = {"from_": "2031-01-06", "to": "2031-01-07", "by": by}
        as_json = await get(shared.http, path, shared.staff, **period)

        query = {"from": "2031-01-06", "to": "2031-01-07", "by": by}
        answer = await shared.http.get(path, params=query, headers={**shared.staff, "Accept": "text/csv"})

        assert answer.status_code == 200
        assert answer.headers["content-type"] == CSV
        assert answer.headers["cache-control"] == "no-store"
        name = path.rpartition("/")[2]
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
        assert rows == [
            {field: "" if value is None else str(value) for field, value in item.items()}
            for item in as_json["items"]
        ]


async def test_has_no_formulas(shared: Clinic) -> None:
    names = ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "Dr. = Safe"]
    for name in names:
        await visit(shared, await shared.doctor([], name=name), at("2031-02-03", 9))

    query = {"from": "2031-02-03", "to": "2031-02-03"}
    headers = {**shared.staff, "Accept": "text/csv"}
    answer = await shared.http.get(PATHS[1], params=query, headers=headers)

    header, *lines, last = answer.text.split("\r\n")
    assert header.startswith("group,name,booked,completed,")
    assert last == ""
    shown = [next(csv.reader([line]))[1] for line in lines]
    assert sorted(shown) == sorted([f"'{name}" for name in names[:4]] + names[4:])
    assert ',"\'=HYPERLINK(""http://x"",""y"")",0,1,' in answer.text


async def test_without_any_group_is_its_header(shared: Clinic) -> None:
    query = {"from": "2036-01-01", "to": "2036-01-02"}
    headers = {**shared.staff, "Accept": "text/csv"}
    answer = await shared.http.get(PATHS[2], params=query, headers=headers)
    assert answer.text == "group,name,count,median_hours,p90_hours,mean_hours\r\n"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("application/json;q=0.5, text/*", CSV),
        ("image/png", "application/json"),
        ("TEXT/CSV;header=present;q=0.9, */*;q=0.1", CSV),
    ],
)
async def test_is_for_whoever_prefers_it(shared: Clinic, accept: str | None, media_type: str) -> None:
    request = shared.http.build_request("GET", PATHS[0], headers=shared.staff)
    del request.headers["accept"]
    if accept:
        request.headers["accept"] = accept
    answer = await shared.http.send(request)
    assert answer.headers["content-type"] == media_type
    assert "Accept" in answer.headers["vary"].split(", ")
