"""The committed build is what its sources give, byte for byte. Fetches the packages of npm's lock."""

import filecmp
import shutil
from pathlib import Path

from ingress.pages.files import BUILT
from ops import web


def test_the_build_can_be_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "web"
    shutil.copytree(web.WEB, folder, ignore=shutil.ignore_patterns(*web.NOT_SOURCES))
    (folder / "api" / "openapi.d.ts").unlink()
    web.npm("ci", folder=folder)
    for script in ("schema", "check", "test", "build"):
        web.npm("run", script, folder=folder)
    built = tmp_path / "ingress" / "pages" / "built"
    names = sorted(str(path.relative_to(built)) for path in built.rglob("*") if path.is_file())
    committed = {str(path.relative_to(BUILT)) for path in BUILT.rglob("*") if path.is_file()}
    assert set(names) == committed - {web.HASH.name}
    assert filecmp.cmpfiles(built, BUILT, names, shallow=False) == (names, [], [])
    schema = Path("api", "openapi.d.ts")
    assert (folder / schema).read_text() == (web.WEB / schema).read_text()
