"""Traces (OpenTelemetry): what a request sets off, as spans of every service, sent to a collector by OTLP.

Their context goes along as `traceparent` (W3C Trace Context): in requests, in the headers of records, in
rows. Without a collector (`CLINIC_OTLP_ENDPOINT`) the SDK's part for spans is not loaded, and a span's
`traceparent` is its parent's. Attributes hold ids and codes, nothing about a person.
"""

import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Self

from infra.settings import Settings

if TYPE_CHECKING:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

# Sections 3.2.2.1 to 3.2.2.4: version ff and ids of zeros are invalid.
TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
EXPORT_TIMEOUT_S = 3.0
"""A collector that does not answer costs spans, and no more."""
FLUSH_TIMEOUT_S = 2.0

Value = str | int | bool


class SpanKind(StrEnum):
    """The kinds of spans that there are here."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


class Span:
    """A part of a trace, from its making to `end`, or to the end of its `with`."""

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        attributes: Mapping[str, Value] | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        """`parent` is the `traceparent` that it continues; None begins a trace.

        `at`: when it began, if not now.
        """
        self._parent = parent
        self._span = _start(name, kind, parent, attributes, at) if _tracer is not None else None

    @property
    def traceparent(self) -> str | None:
        """The header that continues it."""
        if self._span is None:
            return self._parent
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def rename(self, name: str) -> None:
        """Name it by what is known only now."""
        if self._span is not None:
            self._span.update_name(name)

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""
        if self._span is not None:
            self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        """It failed. Of an error only its type is told: its message may quote what was sent."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_attribute("error.type", error_type)
            self._span.set_status(StatusCode.ERROR)

    def end(self, at: datetime | None = None) -> None:
        """It ends now, or ended `at`. Later calls change nothing."""
        if self._span is not None and self._span.is_recording():
            self._span.end(_nanoseconds(at) if at else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.fail(kind.__qualname__)
        self.end()


_tracer: "trace.Tracer | None" = None
_provider: "TracerProvider | None" = None


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1e9)


def _start(
    name: str, kind: SpanKind, parent: str | None, attributes: Mapping[str, Value] | None, at: datetime | None
) -> "trace.Span":
    from opentelemetry.trace import SpanKind as OtelKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    assert _tracer is not None, "the caller looked"
    context = TraceContextTextMapPropagator().extract({"traceparent": parent} if parent else {})
    started_ns = _nanoseconds(at) if at else time.time_ns()
    return _tracer.start_span(name, context, OtelKind[kind], attributes, start_time=started_ns)


def is_on() -> bool:
    """True if spans are collected."""
    return _tracer is not None


def continues(traceparent: str | None) -> bool:
    """True if spans are collected, and this is a trace for them."""
    return _tracer is not None and bool(request_of(traceparent))


def request_of(traceparent: str | None) -> dict[str, str]:
    """What log lines tell of the request that set something off: its `request_id`, if it is known."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    return {"request_id": found[1]} if found else {}


def begin(settings: Settings, service: str) -> None:
    """Collect spans from now on, if there is a collector.

    The standard variables hold here, too: `OTEL_TRACES_SAMPLER` (all traces by default) and others.
    """
    global _tracer, _provider
    if settings.otlp_endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create(
        {
            "service.namespace": "clinic",
            "service.name": service,
            "service.instance.id": settings.instance or service,
        }
    )
    exporter = OTLPSpanExporter(
        f"{settings.otlp_endpoint.rstrip('/')}/v1/traces",
        certificate_file=str(settings.otlp_ca_file) if settings.otlp_ca_file else None,
        timeout=EXPORT_TIMEOUT_S,
    )
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("clinic")


def end() -> None:
    """Send what was collected, as far as the collector takes it soon."""
    global _tracer, _provider
    if _provider is None:
        return
    sending = threading.Thread(target=_provider.shutdown, name="last spans", daemon=True)
    sending.start()
    sending.join(FLUSH_TIMEOUT_S)
    _tracer = _provider = None
