"""The README's example, as printed."""

import re
import subprocess
import sys
from pathlib import Path

from tests.clinic import free_port
from tests.embedded.up import clinic, running

README = Path(__file__).parents[2] / "README.md"


def test_the_example_prints_what_the_readme_says(tmp_path: Path) -> None:
    [walk] = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    with running(tmp_path / ".clinic", free_port()) as up:
        assert clinic("seed", "demo", "--data", up.data_dir).returncode == 0
        (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])

        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", walk],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
        )

    assert answer.returncode == 0, answer.stderr
    first, second, again = answer.stdout.splitlines()
    assert re.fullmatch(r"confirmed None [0-9a-f-]{36}", first)
    assert re.fullmatch(r"refused slot_taken [0-9a-f-]{36}", second)
    assert again == first
