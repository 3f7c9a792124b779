"""A copy of the product for the services of one run, so that edits to the checkout do not affect it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
IMPORTABLE = (
    "contracts", "scheduling", "infra", "storage",
    "ingress", "booking_worker", "auditor", "notifier", "ops",
)  # fmt: skip
PACKAGES = (*IMPORTABLE, "migrations")


def copy_source(folder: Path) -> None:
    """Copy the product into a new folder."""
    for package in PACKAGES:
        shutil.copytree(SOURCE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))


def compile_source(folder: Path) -> None:
    """Compile a copy, and verify that a service started from it imports it."""
    run_from(folder, "-m", "compileall", "-q", *PACKAGES)
    printing = "import importlib, sys; [print(importlib.import_module(n).__file__) for n in sys.argv[1:]]"
    files = run_from(folder, "-c", printing, *IMPORTABLE).split()
    assert len(files) == len(IMPORTABLE), files
    assert all(Path(file).is_relative_to(folder) for file in files), files


def python_from(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment of a Python that imports from the copy."""
    # With -P, the current folder does not come before PYTHONPATH.
    return [sys.executable, "-P"], {"PYTHONPATH": str(folder)}


def run_from(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """The output of a Python with these arguments, run from the copy."""
    command, variables = python_from(folder)
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {}), **variables},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
