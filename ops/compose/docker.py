"""Calls of `docker`. Each raises `subprocess.CalledProcessError` if it fails."""

import subprocess
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


def compose(*arguments: str, stdin: "IO[bytes] | None" = None, stdout: "IO[bytes] | None" = None) -> None:
    """`docker compose` with these arguments, in the folder of its file."""
    docker("compose", *arguments, stdin=stdin, stdout=stdout)


def docker(*arguments: str, stdin: "IO[bytes] | None" = None, stdout: "IO[bytes] | None" = None) -> None:
    """`docker` with these arguments."""
    subprocess.run(
        ["docker", *arguments], check=True, cwd=ROOT, stdin=stdin or subprocess.DEVNULL, stdout=stdout
    )


def output(*arguments: str) -> str:
    """What `docker` with these arguments prints."""
    done = subprocess.run(["docker", *arguments], check=True, cwd=ROOT, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()
