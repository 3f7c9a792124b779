"""Install a lock's packages into `.venv`: `python3 ops/install.py embedded|dev|load|security|server`. Instant
if done before.

Run by the system's Python with nothing installed, so: standard library only, and no syntax newer than
Python 3.6, or the sentence about a wrong Python could not be printed. Every failure is one sentence on stderr
and status 1.
"""

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
PYTHON_MIN = (3, 11)
LOCKS = ("embedded", "dev", "load", "security", "server")
WITH_KAFKA = ("embedded", "dev")
FREE_BYTES_MIN = 1500 * 1024 * 1024
FREE_BYTES_NONE = 50 * 1024 * 1024


class InstallError(Exception):
    """The installation cannot continue; the message is one sentence."""


def check_python(version: "tuple[int, ...]") -> None:
    """Reject a Python that is too old."""
    if version[:2] < PYTHON_MIN:
        raise InstallError(
            f"The clinic needs Python 3.11 or newer and {sys.executable} is {version[0]}.{version[1]}; "
            "name another one with PYTHON=, as in: make up PYTHON=python3.13"
        )


def check_venv_module() -> None:
    """Reject a Python that cannot create virtual environments, such as Debian's without `python3-venv`."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise InstallError(
            "This Python has no venv module: install it (Debian, Ubuntu: apt install python3-venv)."
        )


def check_disk(free_bytes: int) -> None:
    """Reject an installation that does not fit on the disk."""
    if free_bytes < FREE_BYTES_MIN:
        raise InstallError(
            f"The disk is full: {ROOT} has {free_bytes >> 20} MB left "
            f"and the installation needs {FREE_BYTES_MIN >> 20} MB."
        )


def fingerprint(lock: Path) -> str:
    """A hash of the lock, the project's metadata, the interpreter and the path of the checkout."""
    digest = hashlib.sha256(lock.read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    digest.update(f"{ROOT} {sys.version}".encode())
    return digest.hexdigest()


def install(name: str) -> None:
    """Install `locks/<name>.lock` into `.venv`. Packages of other locks stay."""
    check_python(tuple(sys.version_info[:2]))
    lock = ROOT / "locks" / f"{name}.lock"
    stamp = VENV / f"installed-{name}"
    wanted = fingerprint(lock)
    if VENV_PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    check_venv_module()
    check_disk(shutil.disk_usage(ROOT).free)
    make_venv()
    os.environ.update(pip_settings())
    print(f"Installing the packages of locks/{name}.lock …", flush=True)
    # Compiled here: if Python cannot write bytecode later, every start would compile everything again.
    uv("--quiet", "--compile-bytecode", "--require-hashes", "-r", str(lock))
    uv("--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    if name in WITH_KAFKA:
        fetch = "from ops.embedded import jars; jars.main()"
        run("Kafka's jars could not be fetched.", VENV_PYTHON, "-c", fetch)
    stamp.write_text(wanted)


def make_venv() -> None:
    """Create a virtual environment of this Python, with the pinned uv, unless it exists."""
    home = VENV / "made-by"
    maker = f"{ROOT} {sys.version}"
    if VENV_PYTHON.exists() and home.exists() and home.read_text() == maker:
        return
    print("Making .venv and getting uv …", flush=True)
    run("The virtual environment could not be made.", sys.executable, "-m", "venv", "--clear", VENV)
    pip = (VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes")
    run("pip could not fetch uv.", *pip, "-r", ROOT / "locks" / "bootstrap.lock")
    home.write_text(maker)


def uv(*arguments: str) -> None:
    """`uv pip install` into `.venv`."""
    command = (VENV / "bin" / "uv", "pip", "install", "--python", VENV_PYTHON)
    run("The packages could not be installed.", *command, *arguments)


def pip_settings() -> "dict[str, str]":
    """pip's mirror and certificates on this machine, as variables for uv and for the download of jars."""
    listed = subprocess.run(
        [str(VENV_PYTHON), "-m", "pip", "config", "list"], stdout=subprocess.PIPE, check=True
    )
    values = dict(re.findall(r"\.(index-url|cert)='(.*)'", listed.stdout.decode()))
    variables = {"UV_DEFAULT_INDEX": "index-url", "SSL_CERT_FILE": "cert", "REQUESTS_CA_BUNDLE": "cert"}
    return {
        variable: values[name]
        for variable, name in variables.items()
        if name in values and variable not in os.environ
    }


def run(complaint: str, *command: "str | Path") -> None:
    """Run a program that shows its own progress.

    Raises:
        InstallError: with `complaint`, or about the disk if that is what is wrong.
    """
    status = subprocess.call([str(part) for part in command], stdin=subprocess.DEVNULL, cwd=str(ROOT))
    if status != 0:
        check_disk_left()
        raise InstallError(complaint + " The lines above say why.")


def check_disk_left() -> None:
    """Raise an error if a full disk explains the failure."""
    for folder in (ROOT, Path.home(), Path(tempfile.gettempdir())):
        if folder.exists() and shutil.disk_usage(folder).free < FREE_BYTES_NONE:
            raise InstallError(f"The disk is full: nothing is left on the one that holds {folder}.")


def main() -> int:
    """Install the lock named on the command line. Returns the exit status."""
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        print("usage: install.py " + "|".join(LOCKS), file=sys.stderr)
        return 2
    try:
        install(sys.argv[1])
    except InstallError as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        print("The disk is full." if full else f"The installation failed: {problem}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
