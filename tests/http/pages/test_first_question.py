"""Pages' headers name what their script asks the API first: the browser asks while it loads the script."""

import re

from tests.clinic import Clinic
from tests.http.asking import get


async def preloaded(clinic: Clinic, path: str) -> str | None:
    header = (await clinic.http.get(path)).headers.get("link")
    if header is None:
        return None
    found = re.fullmatch(r"<(/v1/[^<>]+)>; rel=preload; as=fetch; crossorigin", header)
    assert found, header
    return found[1]


async def test_the_first_question_of_a_page_is_in_its_headers(shared: Clinic) -> None:
    doctor = await shared.doctor()
    for page in ("/en", "/de", "/en?visit=checkup&specialty=tests"):
        assert await preloaded(shared, page) == "/v1/availability"
    question = await preloaded(shared, f"/en/doctors/{doctor}?visit=checkup&day=2030-01-01")
    assert question == f"/v1/availability?doctor_id={doctor}&visit_type=checkup"
    [item] = (await get(shared.http, question))["items"]
    assert item["doctor"]["id"] == doctor
    assert await preloaded(shared, f"/de/doctors/{doctor}") == f"/v1/availability?doctor_id={doctor}"


async def test_what_is_in_the_address_cannot_change_the_header(shared: Clinic) -> None:
    doctor = "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    for page in (
        "/en/me",
        "/en/doctors/1",
        "/en/doctors",
        f"/en/doctors/{doctor}/x",
        "/en/doctors/%3E;%20rel=x",
    ):
        assert await preloaded(shared, page) is None
    question = await preloaded(shared, f"/en/doctors/{doctor}?visit=%3E,%3C/evil%3E%0d%0aX-Evil:1%26a=b")
    assert question is not None
    assert question.startswith(f"/v1/availability?doctor_id={doctor}&visit_type=%3E")
