"""Backups of the database and of the log, while the clinic works, and how they come back.

The database is saved first, so that the log reaches further: the workers decide, or fold, what comes after
the position in the database. The log's files are copied twice: first all, then, with Kafka frozen for the
moment that takes, those that have changed meanwhile.
"""

import errno
import json
import time
from pathlib import Path

from ops.compose.docker import compose, docker, output

ROLES, DATABASE, LOG, LOG_SINCE = "roles.sql", "postgres.dump", "kafka.tar", "kafka-since.tar"
OWNER = ("--username=postgres",)
FILES = (ROLES, DATABASE, LOG, LOG_SINCE)
LOG_DIR = "/var/lib/kafka/data"
MARK = "/tmp/begun"  # noqa: S108 - in a container of its own
# Kafka makes its indexes anew.
WITHOUT = ("--exclude=*.index", "--exclude=*.timeindex", "--exclude=.lock")
# Status 1: a file changed meanwhile, so that it is copied again.
WHILE_RUNNING = f"cd {LOG_DIR} && tar {' '.join(WITHOUT)} -cf - . || [ $? = 1 ]"
CHANGED = f"cd {LOG_DIR} && find . -type f -newer {MARK} | tar {' '.join(WITHOUT)} -cf - -T -"
SERVICES = ("proxy", "ingress-1", "ingress-2", "auditor", "notifier", "worker-1", "worker-2")
WORKERS = ("worker-1", "worker-2")
POLL_INTERVAL_S = 1.0
POLLS_MAX = 3_600


def backup(folder: Path) -> None:
    """Save the database and the log into a new folder, while everything works. Keys are not in it."""
    if folder.exists():
        raise FileExistsError(errno.EEXIST, "A backup needs a new folder", str(folder))
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True, mode=0o700)
    _save(unfinished)
    unfinished.rename(folder)
    print(
        f"{folder}: saved. Copy it elsewhere, and secrets/ apart from it: without its keys it cannot be read."
    )


def _save(folder: Path) -> None:
    with (folder / ROLES).open("wb") as file:
        without = ("--roles-only", "--no-role-passwords")
        compose("exec", "-T", "postgres", "pg_dumpall", *OWNER, *without, stdout=file)
    with (folder / DATABASE).open("wb") as file:
        compose("exec", "-T", "postgres", "pg_dump", *OWNER, "--format=custom", "clinic", stdout=file)
    copier = output("compose", "run", "--detach", "--no-deps", "--entrypoint", "sleep", "kafka", "86400")
    copier = copier.splitlines()[-1]
    try:
        docker("exec", copier, "touch", MARK)
        with (folder / LOG).open("wb") as file:
            docker("exec", copier, "sh", "-c", WHILE_RUNNING, stdout=file)
        compose("pause", "kafka")
        try:
            with (folder / LOG_SINCE).open("wb") as file:
                docker("exec", copier, "sh", "-c", CHANGED, stdout=file)
        finally:
            compose("unpause", "kafka")
    finally:
        docker("rm", "--force", "--volumes", copier)


def restore(folder: Path, *, with_log: bool = False) -> None:
    """Replace the database by the saved one, and let the workers catch up with the log, then start the rest.

    The log stays, unless `with_log` replaces it, too: what came after the backup is then lost.

    Raises:
        FileNotFoundError: the folder holds no whole backup. Nothing was touched.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(errno.ENOENT, "No backup is without it", str(folder / name))
    compose("up", "--detach", "--wait", "--no-deps", "postgres")
    compose("rm", "--stop", "--force", *SERVICES, "setup")
    if with_log:
        _restore_log(folder)
    psql = ("exec", "-T", "postgres", "psql", "--quiet", "--username=postgres", "--dbname=postgres")
    compose(*psql, "-c", "DROP DATABASE IF EXISTS clinic WITH (FORCE)")
    with (folder / ROLES).open("rb") as file:
        compose(*psql, stdin=file)  # those that exist already are reported, and stay
    with (folder / DATABASE).open("rb") as file:
        compose("exec", "-T", "postgres", "pg_restore", *OWNER, "--create", "--dbname=postgres", stdin=file)
    compose("up", "--detach", "--build", "--wait", *WORKERS)
    _wait_until_caught_up()
    compose("up", "--detach", "--wait")


def _restore_log(folder: Path) -> None:
    compose("rm", "--stop", "--force", "--volumes", "kafka")
    restoring = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "sh", "kafka", "-c")
    compose(*restoring, f"cd {LOG_DIR} && rm -rf ./* ./.[!.]*")
    for name in (LOG, LOG_SINCE):
        with (folder / name).open("rb") as file:
            compose(*restoring, f"tar -C {LOG_DIR} -xf -", stdin=file)


def _wait_until_caught_up() -> None:
    """Wait until the workers are behind nothing.

    Raises:
        TimeoutError: they are, after an hour or more.
    """
    for _ in range(POLLS_MAX):
        lag = json.loads(output("compose", "run", "--rm", "-T", "--no-deps", "operator", "lag", "--json"))
        behind = sum(total["records"] for total in lag["totals"] if total["service"] == "worker")
        if not behind and not lag["unpublished_events"]:
            return
        print(f"the workers have {behind} commands before them", flush=True)
        time.sleep(POLL_INTERVAL_S)
    raise TimeoutError("the workers have not caught up with the log")
