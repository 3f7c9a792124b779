"""`python -m ops.compose.liveness URL CA_FILE`: a container's health check, with the standard library only.

Status 0: the service is ready. Otherwise 1; and if it says itself that it has to be restarted, as it makes no
progress, it is ended: Docker starts it again, and would not do so for a failed health check alone.
"""

import os
import signal
import ssl
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 4.0
UNAVAILABLE = 503
# A container's first process.
SERVICE = 1


def _status(url: str, context: ssl.SSLContext) -> int:
    """The status of the answer; 0 without one."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def check(url: str, ca_file: str, service: int = SERVICE) -> bool:
    """True if the service is ready. One that is not live any more gets SIGTERM."""
    context = ssl.create_default_context(cafile=ca_file)
    ready = _status(f"{url}/health/ready", context)
    if ready == UNAVAILABLE and _status(f"{url}/health/live", context) == UNAVAILABLE:
        os.kill(service, signal.SIGTERM)
    return ready == 200


if __name__ == "__main__":
    sys.exit(0 if check(sys.argv[1], sys.argv[2]) else 1)
