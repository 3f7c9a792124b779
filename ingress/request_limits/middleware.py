"""Every request is paid for out of its caller's budget, and the answer says how much is left."""

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.http.auth import access_of
from ingress.http.network import Network
from ingress.http.problems import Problem, answer
from ingress.request_limits.budgets import Budget
from ingress.resources import resources

FREE = frozenset({"/health/live", "/health/ready", "/metrics"})
"""An ingress whose health was refused would be taken for dead."""


class Limited:
    """ASGI middleware that refuses a request whose caller has nothing left (429)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        app = resources(request)
        budget = app.request_limits.of(access_of(request, app) or Network.of(request))
        scope.setdefault("state", {})["budget"] = budget

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *budget.fields()]
            await send(message)

        try:
            budget.spend(1)
        except Problem as problem:
            await answer(problem)(scope, receive, send_with_fields)
            return
        await self._app(scope, receive, send_with_fields)


def budget_of(request: Request) -> Budget:
    """The budget out of which the request is paid."""
    budget = request.state.budget
    assert isinstance(budget, Budget), "set by the middleware"
    return budget
