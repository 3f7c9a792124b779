"""The first bytes of each protocol that the clinic speaks, in plaintext, and what comes back."""

import socket
import struct
from contextlib import suppress

HOST = "127.0.0.1"
# For an answer on this machine, however busy it is.
ANSWER_TIMEOUT_S = 60.0
# The content type of an alert (RFC 8446, section 5.1): how TLS says that it was not spoken to.
ALERT = 21
STARTUP = b"user\0postgres\0\0"
HELLOS = {
    "HTTP": b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "SMTP": b"EHLO localhost\r\n",
    "Valkey": b"*1\r\n$4\r\nPING\r\n",
    "Postgres": struct.pack("!2I", 8 + len(STARTUP), 3 << 16) + STARTUP,
    "Postgres, asking for TLS": struct.pack("!2I", 8, 80877103),
    "Kafka": struct.pack("!I3hi", 10, 18, 0, 0, -1),
}


def answer_to(hello: bytes, port: int) -> bytes:
    """All that comes back before the other side ends the connection."""
    answer = b""
    with (
        socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT_S) as connection,
        suppress(ConnectionResetError, BrokenPipeError),
    ):
        connection.sendall(hello)
        while data := connection.recv(4096):
            answer += data
    return answer
