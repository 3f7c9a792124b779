"""The span of a request."""

import subprocess
import sys
from pathlib import Path

from infra import clock
from infra.settings import Settings
from tests.clinic import clinic as running_clinic
from tests.clinic import ingress_process
from tests.telemetry.collector import collector

SERVER = 2


async def test_a_request_is_a_span_named_by_its_route(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    with collector() as collected:
        async with running_clinic(settings, template, worker=False, serve=False) as clinic:
            own = clinic.settings.model_copy(update={"otlp_endpoint": collected.url})
            ingress = ingress_process(own, tmp_path)
            await ingress.start()
            patient = await clinic.patient()
            mine = clock.new_secret(16).hex()
            carried = {"traceparent": f"00-{mine}-{'7' * 16}-01"}
            path = f"/v1/patients/{patient.id}/appointments"
            unknown = await clinic.http.get(path, headers={**patient.headers, **carried})
            listed = await clinic.http.get("/v1/doctors")
            await ingress.stop()

        [begun] = [span for span in collected.spans if span.name == "GET /v1/doctors"]
        assert (begun.service, begun.kind, begun.parent_id) == ("ingress", SERVER, "")
        assert listed.headers["x-request-id"] in begun.attributes["clinic.request_id"]
        [continued] = collected.of_trace(mine)
        assert continued.parent_id == "7" * 16
        assert str(unknown.status_code) in continued.attributes["http.response.status_code"]
        # The path has the patient's id.
        assert all(str(patient.id).encode() not in body for body in collected.bodies)


async def test_a_collector_that_is_away_costs_spans_alone(
    settings: Settings, template: str, tmp_path: Path
) -> None:
    async with running_clinic(settings, template, serve=False) as clinic:
        own = clinic.settings.model_copy(update={"otlp_endpoint": "http://127.0.0.1:9"})
        ingress = ingress_process(own, tmp_path)
        await ingress.start()
        await clinic.doctor()
        begun = clock.monotonic()
        await ingress.stop()

        assert clock.monotonic() - begun < 10
        assert ingress.exit_code == 0


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    services = "auditor.main, booking_worker.main, ingress.main, notifier.main"
    loaded = "'opentelemetry.sdk.trace' in sys.modules or 'opentelemetry.exporter' in sys.modules"
    code = f"import sys, {services}; print({loaded})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert printed.stdout.strip() == "False"
