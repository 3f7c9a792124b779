"""Access tokens of the people in a load test, renewed before they expire."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx

from infra import clock
from infra.errors import MisconfiguredError
from infra.signing_keys import load_signing_key
from infra.tokens import LIFETIME, Role, issue_token
from ops.tokens import METHODS, STAFF_ID

RENEWED_AFTER_S = LIFETIME.total_seconds() / 2


@dataclass(frozen=True)
class TokenSource:
    """Paths of the clinic's signing key, or of a file with a token of staff; exactly one of the two.

    With the key each patient has a token of their own. With a token everybody acts as that member of staff.
    """

    key_file: str | None = None
    token_file: str | None = None

    @property
    def acts_as_staff(self) -> bool:
        """True if a booking has to name its patient."""
        return self.key_file is None


class Bearers:
    """Tokens by person. The same file is read again for a token that somebody renews there."""

    def __init__(self, source: TokenSource) -> None:
        """Raises MisconfiguredError: the key or the token cannot be read."""
        self._source = source
        self._key = load_signing_key(Path(source.key_file)) if source.key_file else None
        self._issued: dict[UUID, tuple[float, str]] = {}
        self.staff()

    def staff(self) -> str:
        """The value of `Authorization` for a member of staff."""
        return self._bearer(STAFF_ID, Role.STAFF)

    def patient(self, id_: UUID) -> str:
        """The same for a patient."""
        return self.staff() if self._source.acts_as_staff else self._bearer(id_, Role.PATIENT)

    def _bearer(self, id_: UUID, role: Role) -> str:
        issued_s, bearer = self._issued.get(id_, (0.0, ""))
        if not bearer or clock.monotonic() - issued_s > RENEWED_AFTER_S:
            issued_s, bearer = clock.monotonic(), f"Bearer {self._token(id_, role)}"
            self._issued[id_] = (issued_s, bearer)
        return bearer

    def _token(self, id_: UUID, role: Role) -> str:
        if self._key is not None:
            return issue_token(self._key, id_, role, methods=METHODS)
        path = Path(self._source.token_file or "")
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise MisconfiguredError(f"The token cannot be read: {error}.") from None
        if not token.isascii() or len(token.split()) != 1:
            raise MisconfiguredError(f"{path} holds no access token.")
        return token


class StaffAuth(httpx.Auth):
    """A client of staff, for any length of time."""

    def __init__(self, bearers: Bearers) -> None:
        self._bearers = bearers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token."""
        request.headers["Authorization"] = self._bearers.staff()
        yield request
