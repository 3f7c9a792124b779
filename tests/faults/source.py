"""A copy of the product for the services of one run: nothing changes under them, unless it is meant to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
IMPORTABLE = ("contracts", "scheduling", "infra", "ingress", "booking_worker", "auditor", "notifier", "ops")
PACKAGES = (*IMPORTABLE, "migrations")


def copy_source(folder: Path) -> None:
    """Copy the product into a new folder."""
    for package in PACKAGES:
        shutil.copytree(SOURCE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def compile_source(folder: Path) -> None:
    """Compile a copy, and make sure that it is what a service started from it imports."""
    run_from(folder, "-m", "compileall", "-q", *PACKAGES)
    printing = "import importlib, sys; [print(importlib.import_module(n).__file__) for n in sys.argv[1:]]"
    files = run_from(folder, "-c", printing, *IMPORTABLE).split()
    assert len(files) == len(IMPORTABLE), files
    assert all(Path(file).is_relative_to(folder) for file in files), files


def python_from(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and the variables that start a Python whose imports come from the copy."""
    # With -P, the folder that this process runs in does not come before PYTHONPATH.
    return [sys.executable, "-P"], {"PYTHONPATH": str(folder)}


def run_from(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a Python with these arguments prints, from the copy."""
    command, variables = python_from(folder)
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {}), **variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
