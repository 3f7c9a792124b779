"""Whatever a header says, the answer is no 5xx, and its own headers repeat nothing of it.

`make test` sends a few examples, always the same; `make security` goes on with each header for a minute.
"""

import asyncio
import json
import re
import socket

import pytest
from hypothesis import strategies as some

from tests.clinic import Clinic
from tests.fuzzing.chance import changed_bytes, go_on, is_ours
from tests.http.asking import booking

EXAMPLES = 10
# Shorter texts may be in an answer by chance.
TELLING = 8
NO_ID = "00000000-0000-4000-8000-000000000007"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEADERS = {
    "Accept": b"application/json", "Accept-Encoding": b"gzip, br;q=0", "Accept-Language": b"de-DE,de;q=0.9",
    "Authorization": b"Bearer eyJ.e30.c2ln", "Connection": b"keep-alive, Upgrade",
    "Content-Encoding": b"identity", "Content-Length": b"2",
    "Content-Type": b"application/json; charset=utf-8",
    "Cookie": b"__Host-clinic_refresh=6KvJ0mZl3n1ZB2xqkXw7yQm2c5m9m4y8J0q1Zr3uTtE", "Expect": b"100-continue",
    "Forwarded": b"for=192.0.2.1;proto=https", "Host": b"clinic.example:8000", "Idempotency-Key": b'"a key"',
    "If-None-Match": b'W/"0123456789abcdef", *', "Last-Event-ID": b"0.0.0.0.0.0.0.0.0.0.0.0",
    "Origin": b"https://clinic.example", "Prefer": b"wait=1; respond-async", "Range": b"bytes=0-1",
    "Sec-Fetch-Site": b"same-origin",
    "Traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Transfer-Encoding": b"chunked", "Upgrade": b"h2c", "X-Forwarded-For": b"192.0.2.1, 198.51.100.7",
    "X-Forwarded-Proto": b"https", "X-Http-Method-Override": b"DELETE", "X-Request-Id": b"4f0c8a2e",
}  # fmt: skip


# The clinic runs in another thread of this process, which hypothesis cannot know: it jitters by `random`.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def requests(doctor_id: str, patient: str, staff: str) -> list[bytes]:
    """Heads and bodies, with a gap where the header comes. `patient` and `staff` are credentials."""
    own, staffs = (f"Host: clinic\r\nAuthorization: {who}\r\n" for who in (patient, staff))
    body = json.dumps(booking(doctor_id, "2020-01-01T09:00:00Z"))
    typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    heads = [
        f"GET /v1/appointments HTTP/1.1\r\n{own}%s\r\n",
        f"GET /v1/doctors/{doctor_id}/availability HTTP/1.1\r\nHost: clinic\r\n%s\r\n",
        f"POST /v1/appointments HTTP/1.1\r\n{own}{typed}%s\r\n{body}",
        f"DELETE /v1/appointments/{NO_ID} HTTP/1.1\r\n{own}%s\r\n",
        "POST /v1/auth/refresh HTTP/1.1\r\nHost: clinic\r\nContent-Length: 0\r\n%s\r\n",
        "POST /v1/auth/challenges HTTP/1.1\r\n%s\r\n",
        "GET / HTTP/1.1\r\nHost: clinic\r\n%s\r\n",
        "GET /en HTTP/1.1\r\nHost: clinic\r\n%s\r\n",
        "GET /v1/feeds/x.ics HTTP/1.1\r\nHost: clinic\r\n%s\r\n",
        f"HEAD /v1/staff/events HTTP/1.1\r\n{staffs}%s\r\n",
    ]
    return [head.encode() for head in heads]


@pytest.mark.parametrize("name", HEADERS)
async def test_any_header(shared: Clinic, ids: dict[str, str], name: str, fuzz_seconds: float) -> None:
    sample, patient = HEADERS[name], await shared.patient()
    who = (patient.headers["Authorization"], shared.staff["Authorization"])
    address = (shared.settings.host, shared.settings.port)

    def check(example: tuple[bytes, bytes]) -> None:
        head, value = example
        line = name.encode() + b": " + value + b"\r\nConnection: close\r\n"
        with socket.create_connection(address, timeout=60) as wire:
            wire.sendall(head.replace(b"%s", line))
            answer = b""
            while part := wire.recv(65_536):
                answer += part
        head_of_answer = answer.removeprefix(CONTINUE).partition(b"\r\n\r\n")[0]
        assert re.match(rb"HTTP/1\.1 [1-4]\d\d ", head_of_answer), head_of_answer
        lines = [line for line in re.split(rb"[\r\n]+", value) if len(line) >= TELLING and line not in sample]
        repeated = [line for line in lines if line in head_of_answer]
        assert not [line for line in repeated if not is_ours(line.decode("latin-1"))], head_of_answer

    examples = some.tuples(some.sampled_from(requests(ids["doctor_id"], *who)), changed_bytes([sample]))
    await asyncio.to_thread(go_on, check, examples, EXAMPLES, fuzz_seconds)
