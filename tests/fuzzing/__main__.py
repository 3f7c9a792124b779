"""Fuzz every parser with atheris: `python -m tests.fuzzing [--seconds 60] [TARGET …]`.

The input that broke one is printed, as a bytes literal: it becomes a test. Status 1 if there is any.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzzing.samples import SAMPLES
from tests.fuzzing.targets import TARGETS

BYTES_MAX = 4_096
HANGS_AFTER_S = 10
_RUNS = re.compile(r"Done (\d+) runs")


def fuzz(name: str, seconds: int, folder: Path) -> bool:
    """Fuzz one target, and print what came of it. False if it was broken."""
    corpus, broken = folder / name, folder / f"{name}-"
    corpus.mkdir()
    for number, sample in enumerate(SAMPLES[name]):
        (corpus / str(number)).write_bytes(sample)
    options = [
        f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}", f"-timeout={HANGS_AFTER_S}",
        f"-artifact_prefix={broken}", "-print_final_stats=1",
    ]  # fmt: skip
    command = [sys.executable, "-m", "tests.fuzzing.guided", name, str(corpus), *options]
    ended = subprocess.run(
        command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, errors="replace"
    )
    if ended.returncode == 0:
        runs = _RUNS.search(ended.stdout)
        print(f"{name:<14} {runs[1] if runs else '?':>9} runs, nothing found", flush=True)
        return True
    print(f"{name:<14} BROKEN\n{ended.stdout[-4_000:]}", flush=True)
    for path in folder.glob(f"{name}-*"):
        print(f"input: {path.read_bytes()!r}", flush=True)
    return False


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    choices = [*TARGETS, []]
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=choices, help="all unless named")
    asked = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris has no wheel for this machine: hypothesis alone fuzzes the parsers.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        sound = [fuzz(name, asked.seconds, Path(folder)) for name in asked.targets or TARGETS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
