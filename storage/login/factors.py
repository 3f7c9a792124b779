"""The second factor of staff: codes of an authenticator (TOTP, RFC 6238), and recovery codes."""

import hashlib
import hmac
from base64 import b32encode
from datetime import datetime
from uuid import UUID

import pyotp

from infra import clock

SEED_BYTES = 20
RECOVERY_CODES = 10
RECOVERY_BYTES = 10
RECOVERY_PATTERN = r"[A-Za-z2-7]{4}(-[A-Za-z2-7]{4}){3}"
TOTP_PATTERN = r"[0-9]{6}"


def new_seed() -> str:
    """A secret for an authenticator, base32 (RFC 4226, section 4: 160 bits)."""
    return b32encode(clock.new_secret(SEED_BYTES)).decode()


def enrolment_uri(seed: str, email: str, clinic_name: str) -> str:
    """The link that an authenticator reads, also as a QR code (Key URI format)."""
    return pyotp.TOTP(seed).provisioning_uri(name=email, issuer_name=clinic_name)


def step_of(seed: str, code: str, now: datetime, *, after: int) -> int | None:
    """The time step of a code, which is later than `after`; None if the code is wrong or was used.

    One step before and after the present one count: clocks differ, and people type slowly.
    """
    totp = pyotp.TOTP(seed)
    present = totp.timecode(now)
    found = None
    for step in (present - 1, present, present + 1):
        if step > after and hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found


def new_recovery_code() -> str:
    """A code of 80 random bits, in groups of four."""
    text = b32encode(clock.new_secret(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def is_recovery_code(code: str) -> bool:
    """True for a recovery code, as opposed to an authenticator's."""
    return "-" in code


def recovery_hash(staff_id: UUID, code: str) -> bytes:
    """How a recovery code is kept. It is random, so that no slow hash is needed."""
    return hashlib.sha256(staff_id.bytes + code.lower().encode()).digest()
