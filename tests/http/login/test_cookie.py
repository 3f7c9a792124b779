"""Pages keep their refresh token in a cookie, which counts only for requests of the clinic's own pages."""

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from tests.clinic import Clinic
from tests.http.asking import problem
from tests.http.login.logins import COOKIE, SAME_ORIGIN, answer, ask, code_of, new_address


async def log_in_as_page(clinic: Clinic) -> tuple[str, httpx.Response]:
    """The value of the cookie, and the answer."""
    challenge_id = await ask(clinic, new_address())
    response = await answer(clinic, challenge_id, await code_of(clinic, challenge_id), session="cookie")
    assert response.status_code == 200, response.text
    return value_of(response), response


def value_of(response: httpx.Response) -> str:
    cookie = SimpleCookie(response.headers["set-cookie"])[COOKIE]
    return cookie.value


async def post(
    clinic: Clinic, path: str, cookie: str, headers: dict[str, str], **request: Any
) -> httpx.Response:
    headers = {"Cookie": f"other=1; {COOKIE}={cookie}", **headers}
    return await clinic.http.post(path, headers=headers, **request)


async def test_no_script_and_no_other_host_can_read_it(shared: Clinic) -> None:
    value, response = await log_in_as_page(shared)

    cookie = SimpleCookie(response.headers["set-cookie"])[COOKIE]
    assert response.json()["refresh_token"] is None
    assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (True, True, "/", "")
    assert cookie["samesite"].lower() == "strict"
    assert 6 * 24 * 3600 < int(cookie["max-age"]) <= 7 * 24 * 3600
    assert value not in response.text


@pytest.mark.parametrize("body", [None, b"{}"])
async def test_it_is_exchanged_for_the_next_one(shared: Clinic, body: bytes | None) -> None:
    value, _ = await log_in_as_page(shared)
    request: dict[str, Any] = {}
    if body is not None:
        request = {"content": body}

    json_type = {"Content-Type": "application/json"} if body else {}
    response = await post(shared, "/v1/auth/refresh", value, {**SAME_ORIGIN, **json_type}, **request)

    assert response.status_code == 200, response.text
    assert response.json()["refresh_token"] is None
    assert value_of(response) != value


OTHER_SITES: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": {"Sec-Fetch-Site": "same-site"},
    "typed by the user": {"Sec-Fetch-Site": "none"},
    "another site that also sends our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "HERE"},
    "an old browser on another site": {"Origin": "https://example.org"},
    "an old browser by another scheme": {"Origin": "HERE BY TLS"},
    "an old browser in a sandbox": {"Origin": "null"},
    "an address that is none": {"Origin": "http://[::"},
    "neither header": {},
}


@pytest.mark.parametrize("name", OTHER_SITES)
async def test_from_elsewhere_it_does_not_count(shared: Clinic, name: str) -> None:
    value, _ = await log_in_as_page(shared)
    headers = {
        header: content.replace("HERE BY TLS", shared.settings.url.replace("http:", "https:")).replace(
            "HERE", shared.settings.url
        )
        for header, content in OTHER_SITES[name].items()
    }

    problem(await post(shared, "/v1/auth/refresh", value, headers), 401, "unauthenticated")
    response = await post(shared, "/v1/auth/logout", value, headers)
    assert (response.status_code, response.headers.get("set-cookie")) == (204, None), "the browser keeps it"

    assert (await post(shared, "/v1/auth/refresh", value, SAME_ORIGIN)).status_code == 200


async def test_an_old_browser_proves_it_by_its_origin(shared: Clinic) -> None:
    value, _ = await log_in_as_page(shared)

    response = await post(shared, "/v1/auth/refresh", value, {"Origin": shared.settings.url})

    assert response.status_code == 200


async def test_it_gives_access_to_nothing_else(shared: Clinic) -> None:
    value, _ = await log_in_as_page(shared)

    headers = {**SAME_ORIGIN, "Cookie": f"{COOKIE}={value}"}
    problem(await shared.http.get("/v1/me", headers=headers), 401, "unauthenticated")


async def test_logging_out_removes_it(shared: Clinic) -> None:
    value, _ = await log_in_as_page(shared)

    response = await post(shared, "/v1/auth/logout", value, SAME_ORIGIN)

    assert response.status_code == 204
    cookie = SimpleCookie(response.headers["set-cookie"])[COOKIE]
    assert (cookie.value, cookie["max-age"], cookie["secure"]) == ("", "0", True)
    problem(await post(shared, "/v1/auth/refresh", value, SAME_ORIGIN), 401, "unauthenticated")
