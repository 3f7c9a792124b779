"""The built files of the pages, kept in memory: compressed once, with their entity tags."""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cramjam
from fastapi import Request, Response
from jinja2 import Environment, StrictUndefined

from ingress.http.compression import BYTES_MIN, best_encoding, has_tag
from ingress.pages.clinic import ClinicView
from ingress.pages.colours import stylesheet
from ingress.pages.installed import icon, manifest

BUILT = Path(__file__).parent / "built"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
STYLESHEET = re.compile(r'<link rel="stylesheet"[^>]* href="([^"]+)"')
COMPRESSIBLE = (".html", ".css", ".js", ".svg", ".webmanifest")
BROTLI_LEVEL = 11
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"
"""Kept by the browser, which asks every time whether it has changed."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types svelte-trusted-html clinic-sw"
)
SECURITY_HEADERS = {  # beside those that every answer has: `ingress.http.browsers`
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


@lru_cache(maxsize=32)
def _compressed(content: bytes) -> Mapping[str, bytes]:
    # Once in a process, however many ingresses it starts: it takes 0.2 s for all files.
    return {
        "br": bytes(cramjam.brotli.compress(content, level=BROTLI_LEVEL)),
        "gzip": gzip.compress(content, mtime=0),
    }


@dataclass(frozen=True)
class PageFile:
    """A file that is ready to be sent: its content by encoding, `identity` always among them."""

    contents: Mapping[str, bytes]
    media_type: str
    cache_control: str
    etag: str

    @classmethod
    def make(cls, content: bytes, suffix: str, cache_control: str) -> "PageFile":
        """The file, compressed where that pays."""
        pays = suffix in COMPRESSIBLE and len(content) >= BYTES_MIN
        contents = {"identity": content, **(_compressed(content) if pays else {})}
        digest = hashlib.sha256(content).hexdigest()[:32]
        return cls(contents, MEDIA_TYPES[suffix], cache_control, digest)

    def answer(self, request: Request) -> Response:
        """The response, in the best encoding that the client accepts; 304 if it has the file."""
        encoding = best_encoding(request.headers.get("accept-encoding", ""), self.contents)
        headers = {
            **SECURITY_HEADERS,
            "Cache-Control": self.cache_control,
            # Each encoding has its own tag (RFC 9110, section 8.8.3.3).
            "ETag": f'"{self.etag}-{encoding}"',
            "Vary": "Accept-Encoding",
        }
        if has_tag(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        return Response(self.contents[encoding], headers=headers, media_type=self.media_type)


class Pages:
    """All files of the pages of one clinic, by path; a page has a version for each of its languages."""

    def __init__(self, clinic: ClinicView, built: Path = BUILT) -> None:
        self.files: dict[str, PageFile] = {}
        for path in sorted((built / "assets").iterdir()):
            self._add(f"assets/{path.name}", path.read_bytes(), FOR_EVER)
        self._add("clinic.css", stylesheet(clinic.accent_colour).encode(), REVALIDATED)
        icons = sorted((built / "icons").iterdir())
        for path in icons:
            self._add(path.name, icon(path.read_bytes(), path.suffix, clinic.accent_colour), REVALIDATED)
        sizes = [int(path.stem.removeprefix("icon-")) for path in icons if path.suffix == ".png"]
        self._add("manifest.webmanifest", json.dumps(manifest(clinic, sizes)).encode(), REVALIDATED)
        self._add("sw.js", (built / "sw.js").read_bytes(), REVALIDATED)
        templates = Environment(autoescape=True, undefined=StrictUndefined)
        source = (built / "patient.html").read_text()
        self.stylesheets = STYLESHEET.findall(source)
        """The addresses of the stylesheets that every page has."""
        patient = templates.from_string(source)
        for language in clinic.languages:
            words = json.loads((built / "words" / f"{language}.json").read_text())
            page = patient.render(clinic=clinic.model_dump(mode="json"), language=language, words=words)
            self._add(f"{language}.html", page.encode(), REVALIDATED)

    def _add(self, name: str, content: bytes, cache_control: str) -> None:
        self.files[name] = PageFile.make(content, Path(name).suffix, cache_control)
