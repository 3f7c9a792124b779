"""The HTTP application: every router, and errors as problems."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.routing import APIRoute

from ingress import (
    appointment_reads,
    appointments,
    asyncapi,
    audit,
    availability,
    calendar,
    commands,
    doctor_reads,
    doctors,
    documentation,
    health,
    metrics,
    people,
    problems,
    staff_events,
    time_off,
    tracing,
    unsubscribe,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

# The busiest first: routes are tried in this order.
ROUTERS = (appointments, availability, commands, appointment_reads, doctor_reads, doctors, time_off, calendar)
OTHER_ROUTERS = (people, unsubscribe, staff_events, audit, health, metrics, asyncapi)


def create_app(lifespan: Lifespan) -> FastAPI:
    """The application. `lifespan` puts the resources into its state."""
    app = FastAPI(
        title="Clinic",
        version="1",
        description=documentation.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # ours is ingress.documentation's
        generate_unique_id_function=_operation_id,
    )
    problems.install(app)
    app.add_middleware(metrics.Measured)
    app.add_middleware(tracing.Traced)
    for module in (*ROUTERS, *OTHER_ROUTERS):
        app.include_router(module.router)
    documentation.install(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
