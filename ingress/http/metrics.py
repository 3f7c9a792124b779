"""The metrics of an ingress, each declared once with its meaning; `GET /metrics` for Prometheus."""

from fastapi import APIRouter, Request, Response
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra import clock
from infra.metrics import exposition
from ingress.http.problems import Code
from ingress.openapi.responses import problems

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter(
    "clinic_http_requests",
    "Responses started, by route template (`none` if there is no such route), method and status.",
    ("route", "method", "status"),
)
ANSWER_SECONDS = Histogram(
    "clinic_http_answer_seconds",
    "Time from a request to the first byte of its response, including a wait for a decision (`Prefer`).",
    ("route", "method"),
    buckets=SECONDS,
)
REQUESTS_LIMITED = Counter(
    "clinic_requests_limited",
    "Requests refused with 429 because their caller had spent the units of a minute: a `patient`, a member "
    "of `staff`, or the `network` of those who are not logged in.",
    ("policy",),
)
CONNECTIONS_REFUSED = Counter(
    "clinic_http_connections_refused",
    "Connections closed with 503 because as many were open as the settings allow.",
)
COMMANDS_ACCEPTED = Counter(
    "clinic_commands_accepted",
    "Commands acknowledged by the broker, by type. A repeat that is not decided yet counts again.",
    ("type",),
)
DECISION_WAIT_SECONDS = Histogram(
    "clinic_decision_wait_seconds",
    "Time that requests with `Prefer: wait` waited for a decision, whether or not it came.",
    buckets=SECONDS,
)
BACKLOG_SECONDS = Gauge(
    "clinic_backlog_seconds",
    "Expected wait of a new command until it is decided, in the slowest partition.",
)
SECURITY_EVENTS = Counter(
    "clinic_security_events",
    "Security events acknowledged by the broker, by type.",
    ("type",),
)
SECURITY_EVENTS_LOST = Counter(
    "clinic_security_events_lost",
    "Refusals of access and reads of the book that were not recorded: `limited` (too many from one source), "
    "`overflow` (the queue was full) or `unavailable` (the log did not accept them). Alert on the last two.",
    ("why",),
)
for _why in ("limited", "overflow", "unavailable"):
    SECURITY_EVENTS_LOST.labels(_why)  # from 0 on, as in `booking_worker.metrics`
LOGIN_FAILURES = Counter(
    "clinic_login_failures",
    "Logins that failed, by reason. Alert on unusually many: somebody may be guessing.",
    ("reason",),
)
STREAMS = Gauge(
    "clinic_event_streams",
    "Event streams that are open.",
)
REDIS_CONNECTED = Gauge(
    "clinic_redis_connected",
    "1 while decisions are pushed through Redis, 0 while they are polled from Postgres.",
)

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text format, or OpenMetrics for who accepts it.",
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/openmetrics-text": {"schema": {"type": "string"}},
            },
        },
        **problems(Code.INTERNAL_ERROR),
    },
)
async def get_metrics(request: Request) -> Response:
    """The metrics of this process. Each HELP line gives the meaning."""
    media_type, metrics = exposition(request.headers.get("accept", ""))
    return Response(metrics, media_type=media_type)


class Measured:
    """ASGI middleware that counts responses when they start, so that endless streams count too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Finding a child by its labels costs more than all the rest. Bounded: routes, methods, statuses.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = clock.monotonic()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], clock.monotonic() - begun)
            await send(message)

        await self._app(scope, receive, counting)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The router puts the route there when it has found it.
        route = getattr(scope.get("route"), "path_format", "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        key = (route, method, status)
        children = self._children.get(key)
        if children is None:
            requests = REQUESTS.labels(route, method, str(status))
            children = self._children[key] = (requests, ANSWER_SECONDS.labels(route, method))
        requests, answer_seconds = children
        requests.inc()
        answer_seconds.observe(seconds)
