"""Locust in a process of its own: `python -m ops.load.generator`, a `Job` on stdin, `Sample`s on stdout.

Of its own, as gevent replaces sockets and threads. An open loop: requests have times, each is sent then by
whichever of Locust's users is free, and its latency counts from that time, whenever it could be sent. So a
clinic that stalls is charged with everybody who would have come meanwhile (no coordinated omission). Locust's
`constant_throughput` does not do for that: a user who is late lets the next request come later.
"""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar

import gevent
from gevent.event import Event
from locust import FastHttpUser, constant, task
from locust.contrib.fasthttp import FastResponse
from locust.env import Environment
from locust.exception import StopUser

from infra import clock
from infra.errors import ClinicError
from ops.load.job import BEGUN, Job, Sample
from ops.load.mix import Action, actions, arrivals
from ops.load.scene import NoSlotsLeftError, Request, Requests
from ops.load.tokens import Bearers

WAIT_S = 10
# A command that is not decided after that is an error.
DECIDED_WITHIN_S = 30.0
BETWEEN_POLLS_S = 0.2
NETWORK_TIMEOUT_S = WAIT_S + 10.0
CONNECT_TIMEOUT_S = 10.0
LAST_ANSWER_TIMEOUT_S = DECIDED_WITHIN_S + NETWORK_TIMEOUT_S


class UnexpectedAnswerError(ClinicError):
    """A response that a patient could do nothing with."""


class Client(FastHttpUser):
    """A connection, used by one patient after the other. `shared` by all."""

    abstract = False
    wait_time = constant(0)
    insecure = False
    ssl_context_factory = staticmethod(gevent.ssl.create_default_context)
    network_timeout = NETWORK_TIMEOUT_S
    connection_timeout = CONNECT_TIMEOUT_S
    shared: ClassVar["Run"]

    @task
    def act(self) -> None:
        """The next thing that a patient does, at its time."""
        at_s, action = self.shared.next_arrival()
        due_s = self.shared.began_s + at_s
        if (wait_s := due_s - clock.monotonic()) > 0:
            gevent.sleep(wait_s)
        try:
            request = self.shared.requests.request(action)
        except NoSlotsLeftError as none_left:
            self.shared.fail(none_left)
            raise StopUser from None
        error: Exception | None = None
        outcome = "ok"
        try:
            outcome = self._decided(request, due_s) if request.action.is_write else self._read(request)
        except ClinicError as problem:
            error, outcome = problem, str(problem)
        except (LookupError, TypeError, ValueError) as problem:  # of a body that is no command resource
            error, outcome = problem, f"unexpected body: {problem!r}"
        latency_ms = 1000 * (clock.monotonic() - due_s)
        self.shared.under_way.discard((at_s, action))
        self.environment.events.request.fire(
            request_type="write" if request.action.is_write else "read",
            name=request.action.value,
            response_time=latency_ms,
            response_length=0,
            exception=error,
            context={"at_s": at_s, "outcome": outcome},
        )

    def _read(self, request: Request) -> str:
        response = self._ask(request.method, request.path, request)
        if response.status_code != 200 or request.text not in response.content:
            raise UnexpectedAnswerError(_problem(response))
        return "ok"

    def _decided(self, request: Request, due_s: float) -> str:
        """The state that the command's resource ends in, with the reason of a refusal."""
        response = self._ask(request.method, request.path, request)
        resource = _resource(response)
        while resource["state"] == "pending":
            if clock.monotonic() - due_s > DECIDED_WITHIN_S:
                raise UnexpectedAnswerError(f"not decided after {DECIDED_WITHIN_S:g} s")
            gevent.sleep(BETWEEN_POLLS_S)
            resource = _resource(self._ask("GET", f"{resource['links']['self']}?wait={WAIT_S}", request))
        self.shared.requests.decided(request, resource)
        if resource["state"] == "refused":
            return f"refused: {resource['refusal']['reason']}"
        if resource["state"] != "confirmed":
            raise UnexpectedAnswerError(str(resource["state"]))
        return "confirmed"

    def _ask(self, method: str, path: str, request: Request) -> FastResponse:
        headers = {"Authorization": self.shared.bearers.patient(self.shared.patient_ids[request.patient])}
        is_command = method != "GET"
        if is_command:
            headers |= {"Idempotency-Key": request.key or "", "Prefer": f"wait={WAIT_S}"}
        # The context manager is not entered: Locust would count each request, and not each action.
        response = self.client.request(
            method,
            path,
            headers=headers,
            json=request.fields if is_command else None,
            catch_response=True,
            allow_redirects=False,
        )
        if not response.status_code:
            error = getattr(response, "error", None)
            raise UnexpectedAnswerError(f"no answer: {type(error).__name__}")
        return response


def _resource(response: FastResponse) -> dict[str, Any]:
    if response.status_code not in (200, 202):
        raise UnexpectedAnswerError(_problem(response))
    resource: dict[str, Any] = response.json()
    return resource


def _problem(response: FastResponse) -> str:
    try:
        return f"{response.status_code} {response.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}"


class Run:
    """What the clients share: the timetable, the data, and how many of them are done."""

    def __init__(self, job: Job) -> None:
        self.requests = Requests(job.scene, clock.repeatable(job.seed), job.tokens.acts_as_staff)
        self.patient_ids = job.scene.patient_ids
        self.bearers = Bearers(job.tokens)
        self.began_s = 0.0
        self.begins = Event()
        self.over = Event()
        self.failure: ClinicError | None = None
        self.under_way: set[tuple[float, Action]] = set()
        self._clients = job.clients
        self._timetable: Iterator[tuple[float, Action]] = zip(
            arrivals(job.per_s, job.warm_up_s + job.seconds, job.seed), actions(job.seed), strict=False
        )

    def next_arrival(self) -> tuple[float, Action]:
        """The next request's time, seconds from the beginning. Ends a client when all are taken."""
        self.begins.wait()
        arrival = next(self._timetable, None)
        if arrival is None:
            self._clients -= 1
            if not self._clients:
                self.over.set()
            raise StopUser
        self.under_way.add(arrival)
        return arrival

    def fail(self, failure: ClinicError) -> None:
        """End the run: it cannot go on."""
        self.failure = failure
        self.over.set()

    def lost(self) -> Iterator[tuple[float, Action]]:
        """Arrivals that have no outcome after all, and those whose turn never came."""
        yield from self.under_way
        yield from self._timetable


def generate(job: Job) -> None:
    """Send the job's requests and print what came of them; at the end the scene as it is now."""
    Client.host, Client.shared = job.url, Run(job)
    environment = Environment(user_classes=[Client], host=job.url)

    def note(
        request_type: str,
        name: str,
        response_time: float,
        exception: Exception | None,
        context: dict[str, Any],
        **_: Any,
    ) -> None:
        at_s = context["at_s"] - job.warm_up_s
        sample = Sample(at_s, Action(name), response_time, context["outcome"], ok=exception is None)
        print(sample.to_line(), flush=True)

    environment.events.request.add_listener(note)  # type: ignore[no-untyped-call]
    runner = environment.create_local_runner()
    runner.start(job.clients, spawn_rate=job.clients, wait=True)
    Client.shared.began_s = clock.monotonic()
    print(BEGUN, flush=True)
    Client.shared.begins.set()
    Client.shared.over.wait(timeout=job.warm_up_s + job.seconds + LAST_ANSWER_TIMEOUT_S)
    runner.quit()
    if Client.shared.failure:
        sys.exit(str(Client.shared.failure))
    ended_s = clock.monotonic() - Client.shared.began_s
    for at_s, action in Client.shared.lost():
        print(Sample(at_s - job.warm_up_s, action, 1000 * (ended_s - at_s), "no answer", ok=False).to_line())
    print(json.dumps(asdict(job.scene)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    generate(Job.from_json(sys.stdin.read()))
