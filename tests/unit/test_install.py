"""The bootstrap's error messages."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from ops import install
from ops.cli import options


def test_an_old_python_is_told_which_version_is_needed() -> None:
    with pytest.raises(install.InstallError, match=r"needs Python 3\.11 or newer and .* is 3\.10;"):
        install.check_python((3, 10))
    install.check_python((3, 11))


def test_an_old_python_can_read_the_script() -> None:
    ast.parse(Path(install.__file__).read_text(), feature_version=(3, 6))


@pytest.mark.parametrize("name", ["python3.6", "python3.8", "python3.10"])
def test_a_real_old_python_prints_the_sentence(name: str) -> None:
    python = shutil.which(name)
    if python is None or subprocess.run([python, "--version"], capture_output=True).returncode != 0:
        pytest.skip(f"no {name} here")

    answer = subprocess.run([python, install.__file__, "embedded"], capture_output=True, text=True)

    assert answer.returncode == 1
    assert answer.stderr.startswith("The clinic needs Python 3.11 or newer")
    assert answer.stderr.count("\n") == 1


def test_a_full_disk_is_reported_before_anything_is_written() -> None:
    with pytest.raises(install.InstallError, match=r"The disk is full: .* has 100 MB left"):
        install.check_disk(100 << 20)
    install.check_disk(install.FREE_BYTES_MIN)


def test_a_python_without_venv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(install.InstallError, match="apt install python3-venv"):
        install.check_venv_module()


def test_the_default_data_folder_is_the_settings_one() -> None:
    from infra.settings import DEFAULT_DATA_DIR

    assert options.DATA_DIR == DEFAULT_DATA_DIR
