"""The HTTP application: every router, and errors as problems."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.errors import ServerErrorMiddleware

from ingress.analytics import routes as analytics
from ingress.audit import routes as audit
from ingress.availability import first_free, live
from ingress.availability import routes as availability
from ingress.booking import reads as booking_reads
from ingress.booking import routes as booking
from ingress.calendar import previews
from ingress.calendar import routes as calendar
from ingress.calendar_links import feed
from ingress.calendar_links import routes as calendar_links
from ingress.commands import status
from ingress.doctors import reads as doctor_reads
from ingress.doctors import routes as doctors
from ingress.doctors import time_off
from ingress.event_stream import routes as event_stream
from ingress.http import browsers, health, metrics, problems, tracing
from ingress.http.compression import Compressed
from ingress.http.variants import HeadAnswered
from ingress.login import public_keys, sessions
from ingress.login import routes as login
from ingress.login.passkeys import routes as passkeys
from ingress.openapi import asyncapi, document
from ingress.pages import routes as pages
from ingress.patients import addresses, export, notes, undo, unsubscribe
from ingress.patients import routes as patients
from ingress.patients import search as patient_search
from ingress.request_limits.middleware import Limited

# The busiest first: routes are tried in this order.
ROUTERS = (
    booking,
    availability,
    status,
    booking_reads,
    doctor_reads,
    doctors,
    time_off,
    calendar,
    previews,
    first_free,
    live,
)
OTHER_ROUTERS = (
    login,
    sessions,
    passkeys,
    public_keys,
    patients,
    patient_search,
    notes,
    addresses,
    export,
    unsubscribe,
    undo,
    calendar_links,
    feed,
    event_stream,
    analytics,
    audit,
    health,
    metrics,
    asyncapi,
    pages,
)


def create_app(*, production: bool = False) -> FastAPI:
    """The application. Its `state.resources` has to be set before the first request.

    `production`: without the documentation's pages and the metrics, which have a port of their own.
    """
    app = FastAPI(
        title="Clinic",
        version="1",
        description=document.DESCRIPTION,
        redirect_slashes=False,
        openapi_url=None,  # see ingress.openapi.document
    )
    problems.install(app)
    app.add_middleware(Compressed)
    app.add_middleware(Limited)
    # Inside of the others, so that this answer is counted and has an id and headers as well.
    app.add_middleware(ServerErrorMiddleware, handler=problems.internal_error)
    app.add_middleware(HeadAnswered)
    app.add_middleware(metrics.Measured)
    app.add_middleware(browsers.ForBrowsers)
    app.add_middleware(tracing.Traced)
    for module in (*ROUTERS, *OTHER_ROUTERS):
        if not (production and module is metrics):
            # `include_router` wraps routes: 0.2 s of the first request, and twice the time to find one.
            app.router.routes.extend(module.router.routes)
    document.install(app, pages=not production)
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name
    return app
