"""The pages and their files over HTTP: what is sent, and with which headers."""

import gzip
import re

import cramjam
import pytest

from ingress.pages.files import CONTENT_SECURITY_POLICY, FOR_EVER, Pages
from tests.clinic import Clinic
from tests.http.asking import get, problem

LANGUAGES = ("en", "de")


async def assets(clinic: Clinic) -> list[str]:
    page = (await clinic.http.get("/en")).text
    return re.findall(r'(?:src|href)="(/[^"]+)"', page)


async def test_the_root_leads_to_the_language_of_the_browser(shared: Clinic) -> None:
    for accepted, address in (("de-DE,de;q=0.9", "/de"), ("en-US", "/en"), ("fr", "/en"), ("", "/en")):
        response = await shared.http.get("/", headers={"Accept-Language": accepted})
        assert (response.status_code, response.headers["location"]) == (303, address)
        assert response.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_address_of_a_page_is_served_in_its_language(shared: Clinic, language: str) -> None:
    for path in ("", "/", "/doctors/1", "/a/b"):
        response = await shared.http.get(f"/{language}{path}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert f'<html lang="{language}">' in response.text


async def test_every_file_has_the_security_headers(shared: Clinic) -> None:
    paths = ["/en", *await assets(shared)]
    assert len(paths) >= 4
    for path in paths:
        response = await shared.http.get(path)
        assert response.status_code == 200, path
        assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cross-origin-opener-policy"] == "same-origin"


async def test_assets_are_kept_for_ever_and_pages_are_asked_for_again(shared: Clinic) -> None:
    for path in ["/en", *await assets(shared)]:
        response = await shared.http.get(path)
        kept = FOR_EVER if path.startswith("/assets/") else "no-cache"
        assert response.headers["cache-control"] == kept, path
        again = await shared.http.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


async def test_files_are_compressed_once(shared: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gzip, cramjam.brotli):
        monkeypatch.setattr(module, "compress", None)
    script = next(path for path in await assets(shared) if path.endswith(".js"))
    bodies, tags, sizes = set(), set(), []
    for encoding in ("br", "gzip", "identity"):
        headers = {"Accept-Encoding": encoding}
        async with shared.http.stream("GET", script, headers=headers) as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert response.headers.get("content-encoding", "identity") == encoding
        assert response.headers["vary"] == "Accept-Encoding"
        plain = {
            "br": lambda body: bytes(cramjam.brotli.decompress(body)),
            "gzip": gzip.decompress,
            "identity": bytes,
        }[encoding](raw)
        bodies.add(plain)
        tags.add(response.headers["etag"])
        sizes.append(len(raw))
    assert len(bodies) == 1
    assert len(tags) == 3
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


async def test_what_is_not_in_the_build_is_not_found(shared: Clinic) -> None:
    for path in ("/assets/none.js", "/assets/..%2froutes.py", "/fr", "/english"):
        problem(await shared.http.get(path), 404, "not_found")


async def test_the_clinic(shared: Clinic) -> None:
    assert await get(shared.http, "/v1/clinic") == {
        "name": "Clinic",
        "phone": None,
        "address": None,
        "time_zone": "Europe/Berlin",
        "languages": ["en", "de"],
        "accent_colour": "#0b5cad",
        "demo": shared.settings.demo,
        "passkey_origin": f"http://localhost:{shared.settings.port}",
    }


async def test_a_clinic_with_one_language_has_no_other_page(shared: Clinic) -> None:
    from ingress.pages.clinic import clinic_view

    only_german = clinic_view(shared.settings.model_copy(update={"languages": "de"}))
    assert {name for name in Pages(only_german).files if name.endswith(".html")} == {"de.html"}
