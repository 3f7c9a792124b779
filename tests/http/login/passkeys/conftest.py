"""A patient and an authenticator."""

import pytest

from tests.authenticator import Authenticator
from tests.clinic import Clinic
from tests.http.login.logins import LoggedIn, log_in, new_address
from tests.http.login.passkeys.devices import add, authenticator


@pytest.fixture
async def patient(shared: Clinic) -> LoggedIn:
    """A patient who has just logged in by a code."""
    return await log_in(shared, new_address())


@pytest.fixture
def new_device(shared: Clinic) -> Authenticator:
    """An authenticator without a passkey."""
    return authenticator(shared)


@pytest.fixture
async def device(shared: Clinic, patient: LoggedIn) -> Authenticator:
    """An authenticator that has the patient's passkey."""
    device = authenticator(shared)
    await add(shared, patient, device)
    return device
