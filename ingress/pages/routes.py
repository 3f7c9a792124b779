"""The pages for patients: HTML for each language, the files that it needs, and `GET /v1/clinic`."""

import re
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ingress.http.problems import not_found
from ingress.http.views import answer
from ingress.openapi.responses import open_answers
from ingress.pages.clinic import ClinicView, clinic_view
from ingress.pages.files import Pages
from ingress.resources import resources

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

router = APIRouter()


@router.get(
    "/v1/clinic",
    response_model=ClinicView,
    summary="Get the clinic",
    tags=["clinic"],
    include_in_schema=True,
    responses=open_answers(),
)
async def get_clinic(request: Request) -> Response:
    """Its name, how to reach it, its time zone, and the languages and colour of its pages."""
    return answer(clinic_view(resources(request).settings))


@router.get("/", include_in_schema=False)
async def to_page_in_best_language(request: Request) -> Response:
    """Redirects to the page in the language that the browser prefers, or the clinic's own."""
    languages = resources(request).settings.page_languages
    language = best_language(request.headers.get("accept-language", ""), languages)
    return RedirectResponse(f"/{language}", 303, {"Vary": "Accept-Language", "Cache-Control": "no-cache"})


@router.get("/assets/{name}", include_in_schema=False)
async def get_asset(request: Request, name: str) -> Response:
    """A file whose name has its hash in it, so it never changes."""
    return _file(request, f"assets/{name}")


@router.get("/clinic.css", include_in_schema=False)
@router.get("/icon.svg", include_in_schema=False)
@router.get("/icon-{size:int}.png", include_in_schema=False)
@router.get("/manifest.webmanifest", include_in_schema=False)
@router.get("/sw.js", include_in_schema=False)
async def get_file(request: Request) -> Response:
    """The clinic's colours, its icons, and what makes the pages an application that works offline."""
    return _file(request, request.url.path.removeprefix("/"))


@router.get("/en", include_in_schema=False)
@router.get("/en/{path:path}", include_in_schema=False)
async def get_english_page(request: Request, path: str = "") -> Response:
    """The page, which finds out from its address what to show."""
    return _page(request, "en.html", path)


@router.get("/de", include_in_schema=False)
@router.get("/de/{path:path}", include_in_schema=False)
async def get_german_page(request: Request, path: str = "") -> Response:
    """The page, which finds out from its address what to show."""
    return _page(request, "de.html", path)


def best_language(accepted: str, offered: tuple[str, ...]) -> str:
    """The offered language that `Accept-Language` prefers, else the first (RFC 9110, section 12.5.4)."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        name, _, weight = part.partition(";q=")
        try:
            weights.setdefault(name.strip().lower().partition("-")[0], float(weight or 1))
        except ValueError:
            continue
    best = max(offered, key=lambda language: weights.get(language, 0))
    return best if weights.get(best) else offered[0]


def first_question(path: str, visit: str | None) -> str | None:
    """What the page at this path asks the API for first, if anyone may ask for it."""
    match path.split("/"):
        case [""]:
            return "/v1/availability"
        case ["doctors", doctor_id] if UUID.fullmatch(doctor_id):
            query = {"doctor_id": doctor_id, **({"visit_type": visit} if visit else {})}
            return f"/v1/availability?{urlencode(query, quote_via=quote)}"
    return None


def _page(request: Request, name: str, path: str) -> Response:
    response = _file(request, name)
    if question := first_question(path, request.query_params.get("visit")):
        # The browser asks while it still loads the script (HTML, section 4.6.7.20, "preload").
        response.headers["Link"] = f"<{question}>; rel=preload; as=fetch; crossorigin"
    return response


def _file(request: Request, name: str) -> Response:
    pages: Pages = resources(request).pages
    if name not in pages.files:
        raise not_found()
    return pages.files[name].answer(request)
