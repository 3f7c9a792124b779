"""The clinic as patients know it."""

from pydantic import Field

from infra.settings import Settings
from ingress.http.views import View
from ingress.login.passkeys.relying_party import RelyingParty


class ClinicView(View):
    """The clinic: how to reach it, and how its pages look."""

    name: str
    phone: str | None
    address: str | None
    time_zone: str
    languages: tuple[str, ...]
    accent_colour: str
    demo: bool = Field(description="mails stay on the clinic's computer, for trying it out")
    passkey_origin: str | None = Field(description="where passkeys work, and nowhere else; null: they do not")


def clinic_view(settings: Settings) -> ClinicView:
    """The clinic of these settings."""
    relying_party = RelyingParty.of(settings)
    return ClinicView(
        name=settings.name,
        phone=settings.phone,
        address=settings.address,
        time_zone=settings.time_zone,
        languages=settings.page_languages,
        accent_colour=settings.accent_colour,
        demo=settings.demo,
        passkey_origin=relying_party.origin if relying_party.is_possible else None,
    )
