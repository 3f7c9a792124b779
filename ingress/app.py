"""The HTTP application: every router, and errors as problems."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from ingress import appointments, availability, commands, doctors, health, problems

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(lifespan: Lifespan) -> FastAPI:
    """The application. `lifespan` puts the resources into its state."""
    app = FastAPI(title="Clinic", version="1", lifespan=lifespan, redirect_slashes=False)
    problems.install(app)
    for router in (
        appointments.router,
        availability.router,
        doctors.reads,
        doctors.writes,
        commands.router,
        health.router,
    ):
        app.include_router(router)
    return app
