"""`GET /.well-known/jwks.json`: the public keys of access tokens, for other services that check them."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ingress.http.problems import Code
from ingress.http.views import View, answer
from ingress.openapi.responses import problems
from ingress.resources import resources

# A rotated key signs only after it was here as the next one, so that a copy need not be fresh.
MAX_AGE_S = 300

router = APIRouter(tags=["login"])


class PublicKey(View):
    """An Ed25519 key as a JWK (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str = Field(description="the key, base64url")
    kid: str = Field(description="the `kid` in the header of the tokens that it signed (RFC 7638)")
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class PublicKeySet(View):
    """A JWK Set (RFC 7517)."""

    keys: list[PublicKey]


@router.get(
    "/.well-known/jwks.json",
    response_model=PublicKeySet,
    summary="Public keys of access tokens",
    responses=problems(Code.RATE_LIMITED, Code.INTERNAL_ERROR),
)
async def get_public_keys(request: Request) -> Response:
    """The key that signs, the next one, and earlier ones whose tokens may still be valid."""
    keys = PublicKeySet.model_validate(resources(request).signing_keys.jwks())
    return answer(keys, headers={"Cache-Control": f"public, max-age={MAX_AGE_S}"})
