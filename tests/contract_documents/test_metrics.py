"""`GET /metrics`: an ingress's metrics, by the templates of its routes."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.clinic import Clinic

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(clinic: Clinic) -> Samples:
    response = await clinic.http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def counted(before: Samples, after: Samples, name: str, **labels: str) -> float:
    """The increase of a counter."""
    key = (name, frozenset(labels.items()))
    return after[key] - before.get(key, 0)


async def test_answers_are_counted_by_template_method_and_status(demo: Clinic) -> None:
    before = await scraped(demo)
    for _ in range(2):
        await demo.http.get("/v1/doctors/1234")
    await demo.http.get("/no/such/path")
    await demo.http.request("BREW", "/v1/doctors")
    after = await scraped(demo)
    labels = {"route": "/v1/doctors/{doctor_id}", "method": "GET"}
    assert counted(before, after, "clinic_http_requests_total", **labels, status="404") == 2
    assert counted(before, after, "clinic_http_answer_seconds_count", **labels) == 2
    assert counted(before, after, "clinic_http_answer_seconds_sum", **labels) > 0
    nowhere = {"route": "none", "method": "GET", "status": "404"}
    assert counted(before, after, "clinic_http_requests_total", **nowhere) == 1
    assert not any("BREW" in dict(labels).values() for _, labels in after)


async def test_commands_and_waits_are_counted(demo: Clinic) -> None:
    before = await scraped(demo)
    await demo.doctor()
    after = await scraped(demo)
    for type_ in ("RegisterDoctor", "SetWeeklyHours"):
        assert counted(before, after, "clinic_commands_accepted_total", type=type_) == 1
    assert counted(before, after, "clinic_decision_wait_seconds_count") == 2


async def test_the_state_of_redis_is_shown(demo: Clinic) -> None:
    assert (await scraped(demo))["clinic_redis_connected", frozenset()] == 1


async def test_every_metric_has_a_description(demo: Clinic) -> None:
    response = await demo.http.get("/metrics")
    ours = [f for f in text_string_to_metric_families(response.text) if f.name.startswith("clinic_")]
    assert len(ours) >= 5
    assert all(family.documentation for family in ours)


async def test_whoever_accepts_openmetrics_is_answered_with_it(demo: Clinic) -> None:
    accepted = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3"}
    response = await demo.http.get("/metrics", headers=accepted)

    assert response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.text.endswith("\n# EOF\n")
    families = parsed_openmetrics(response.text)  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    assert {"clinic_http_requests", "clinic_redis_connected"} <= names
