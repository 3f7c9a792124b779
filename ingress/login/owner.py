"""How to write to the person whose account is used."""

from typing import NamedTuple

from contracts.challenges import Language
from contracts.commands import Actor, ActorKind
from ingress.resources import Resources


class AccountOwner(NamedTuple):
    """The address and the name by which somebody's own device will show a passkey; their language."""

    email: str
    name: str | None
    language: Language


async def find_owner(app: Resources, caller: Actor) -> AccountOwner | None:
    """The owner of the caller's account; None for one that is gone, or an operator's token."""
    if caller.kind is ActorKind.STAFF:
        email = await app.staff_logins.address(caller.id)
        return None if email is None else AccountOwner(email, None, app.settings.language)
    known = await app.patients.find(caller.id)
    if known is None:
        return None
    return AccountOwner(known.profile.email, known.profile.name, known.profile.language)
