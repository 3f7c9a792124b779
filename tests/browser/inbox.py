"""Mails that patients get, as the local sink has them."""

import email
import email.policy
import re
from email.message import EmailMessage

from ops.embedded import EmbeddedStack
from ops.mail import MAILS
from tests.waiting import until_async


class Inbox:
    """Mails to an address in the local sink."""

    def __init__(self, stack: EmbeddedStack, address: str) -> None:
        self._folder = stack.folder.path / MAILS
        self._address = address

    async def finds(self, pattern: str) -> str:
        """Waits for a mail whose text matches: the last match."""
        found: list[str] = []

        async def arrived() -> bool:
            found.extend(match for text in self._texts() for match in re.findall(pattern, text))
            return bool(found)

        await until_async(arrived, f"a mail with {pattern}", 60)
        return found[-1]

    async def code(self) -> str:
        return await self.finds(r"\b\d{8}\b")

    def _texts(self) -> list[str]:
        mails = [
            email.message_from_bytes(path.read_bytes(), _class=EmailMessage, policy=email.policy.default)
            for path in sorted(self._folder.iterdir())
        ]
        bodies = [mail.get_body(("plain",)) for mail in mails if self._address in str(mail["To"])]
        return [str(body.get_content()) for body in bodies if body is not None]
