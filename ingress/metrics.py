"""What an ingress counts: each metric declared once, with its meaning; `GET /metrics` for Prometheus."""

from time import perf_counter

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.openapi import problems
from ingress.problems import Code

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter(
    "clinic_http_requests",
    "Answers begun, by the route's template (`none` for a path without one), method and status.",
    ("route", "method", "status"),
)
ANSWER_SECONDS = Histogram(
    "clinic_http_answer_seconds",
    "Time from a request to the first byte of its answer. Waiting for a decision (`Prefer`) is part of it.",
    ("route", "method"),
    buckets=SECONDS,
)
COMMANDS_ACCEPTED = Counter(
    "clinic_commands_accepted",
    "Commands that the broker acknowledged, by type. A repeat of one that is not decided yet counts again.",
    ("type",),
)
DECISION_WAIT_SECONDS = Histogram(
    "clinic_decision_wait_seconds",
    "How long requests waited for a decision that they asked to wait for, whether it came or not.",
    buckets=SECONDS,
)
BACKLOG_SECONDS = Gauge(
    "clinic_backlog_seconds",
    "How long a new command would wait to be decided, in the partition where that is longest.",
)
SECURITY_EVENTS = Counter(
    "clinic_security_events",
    "Security events that the broker acknowledged, by type.",
    ("type",),
)
SECURITY_EVENTS_LOST = Counter(
    "clinic_security_events_lost",
    "Refusals of access that were answered and not recorded: `limited` (too many of one source), `overflow` "
    "(too many waited to be recorded) or `unavailable` (the log did not take them). Alert on the last two.",
    ("why",),
)
REDIS_CONNECTED = Gauge(
    "clinic_redis_connected",
    "1 while wake-ups come through Redis, 0 while waiting requests are looked up in Postgres instead.",
)

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "In the text format of Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(Code.INTERNAL_ERROR),
    },
)
async def get_metrics() -> Response:
    """Of this process alone. Each metric's meaning is in its HELP line."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """ASGI middleware that counts answers when they begin, so that an endless stream counts, too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Finding a child by its labels costs more than all the rest. Bounded: routes, methods, statuses.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        answered = False

        async def counting(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._count(scope, message["status"], perf_counter() - begun)
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except Exception:
            if not answered:  # it will be, as a 500, outside of this
                self._count(scope, 500, perf_counter() - begun)
            raise

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The router puts the route there when it has found it.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in METHODS else "other"
        key = (route, method, status)
        children = self._children.get(key)
        if children is None:
            requests = REQUESTS.labels(route, method, str(status))
            children = self._children[key] = (requests, ANSWER_SECONDS.labels(route, method))
        requests, answer_seconds = children
        requests.inc()
        answer_seconds.observe(seconds)
