"""Real Kafka, Postgres and Valkey without Docker, and sinks for mail, in one data folder.

    async with EmbeddedStack(Path("some/folder")) as stack:
        stack.settings                                # infra.settings.Settings: every address and password
        stack.processes["kafka"].pid
        await stack.processes["postgres"].kill()      # kill -9, for fault tests
        await stack.processes["postgres"].start()     # back, and answering

At the end of the block everything stops and the data stays: the same folder can be started again. Crashed
processes are not restarted; for `clinic up`, `ops.embedded.supervisor` does that.
"""

from ops.embedded.process import Child, PartFailedError
from ops.embedded.stack import EmbeddedStack

__all__ = ["Child", "EmbeddedStack", "PartFailedError"]
