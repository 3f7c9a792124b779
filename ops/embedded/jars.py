"""Kafka's jars. `kafka.lock.toml` lists them with their hashes; no other file is run.

They are stored in a per-user cache, so that a second stack or clone downloads nothing. The installation fills
the cache (`main`); `make lock` resolves `kafka.toml` again and rewrites the lock.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.errors import ClinicError, MisconfiguredError

SPEC = Path(__file__).with_name("kafka.toml")
LOCK = Path(__file__).with_name("kafka.lock.toml")
DOWNLOAD_THREADS = 4
DOWNLOAD_TRIES_MAX = 3
DOWNLOAD_TIMEOUT_S = 60


@dataclass(frozen=True)
class Jar:
    """One locked artifact: its Maven coordinates and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the cache, such as `kafka-clients-4.4.0.jar`."""
        return f"{self.artifact}-{self.version}.jar"

    def is_in(self, folder: Path) -> bool:
        """True if the folder has the file with the locked hash."""
        path = folder / self.file_name
        if not path.exists():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def locked() -> list[Jar]:
    """The jars of the lock, in the order of the class path."""
    rows = tomllib.loads(LOCK.read_text())["dependencies"]
    return [Jar(row["groupId"], row["artifactId"], row["version"], row["sha256"]) for row in rows]


def kafka_version() -> str:
    """The version of Kafka in the lock, such as `4.4.0`."""
    return next(jar.version for jar in locked() if jar.artifact == "kafka_2.13")


def cache_dir() -> Path:
    """The folder for downloads: `CLINIC_CACHE_DIR`, else `clinic` in the user's cache folder (XDG)."""
    chosen = os.environ.get("CLINIC_CACHE_DIR")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "clinic"


def mirror() -> dict[str, str] | None:
    """The Maven repository to download from: `CLINIC_MAVEN_URL`, else Maven Central."""
    url = os.environ.get("CLINIC_MAVEN_URL")
    return {"central": url.rstrip("/")} if url else None


def classpath() -> list[Path]:
    """Kafka's jars, their hashes checked; those not in the cache are downloaded first, with a progress bar.

    Raises:
        MisconfiguredError: a downloaded jar's bytes are not the locked ones.
        ClinicError: a jar cannot be downloaded.
    """
    jars = locked()
    folder = cache_dir() / f"kafka-{kafka_version()}"
    missing = [jar for jar in jars if not jar.is_in(folder)]
    if missing:
        _download(missing, folder)
    return [folder / jar.file_name for jar in jars]


def _download(missing: list[Jar], folder: Path) -> None:
    from rich.progress import track

    folder.mkdir(parents=True, exist_ok=True)
    # Into a temporary folder, so that an interrupted or concurrent download leaves no partial jar.
    with tempfile.TemporaryDirectory(dir=folder) as incoming, ThreadPoolExecutor(DOWNLOAD_THREADS) as pool:
        downloads = pool.map(lambda jar: _download_one(jar, Path(incoming), folder), missing)
        for _ in track(downloads, total=len(missing), description=f"Kafka {kafka_version()}"):
            pass


def _download_one(jar: Jar, incoming: Path, folder: Path) -> None:
    from jgo.maven import MavenContext
    from requests import RequestException

    for tries_left in reversed(range(DOWNLOAD_TRIES_MAX)):
        repository = incoming / f"{jar.artifact}-{tries_left}"
        context = MavenContext(repo_cache=repository, remote_repos=mirror(), timeout=DOWNLOAD_TIMEOUT_S)
        try:
            arrived = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            break
        except (RequestException, RuntimeError) as error:
            if not tries_left:
                raise ClinicError(f"{jar.file_name} could not be downloaded: {error}") from error
    if not jar.is_in(arrived.parent):
        raise MisconfiguredError(f"{jar.file_name} is not the locked file (its SHA-256 differs): not used.")
    arrived.replace(folder / jar.file_name)


def rewrite_lock() -> None:
    """Resolve `kafka.toml` with its transitive dependencies and write the lock anew. Downloads everything."""
    from jgo.env import EnvironmentBuilder, EnvironmentSpec, LinkStrategy
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch) / "repository", remote_repos=mirror())
        builder = EnvironmentBuilder(context, link_strategy=LinkStrategy.COPY, cache_dir=Path(scratch))
        environment = builder.from_spec(EnvironmentSpec.load(SPEC))
        shutil.copyfile(environment.path / "jgo.lock.toml", LOCK)


def main() -> None:
    """Fill the cache, or with `--lock` rewrite the lock. Ends the process with one sentence if that fails."""
    try:
        rewrite_lock() if "--lock" in sys.argv else classpath()
    except ClinicError as error:
        sys.exit(str(error))
