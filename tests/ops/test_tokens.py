"""Tokens for operators and scripts: signed with the clinic's key, recorded, and for an existing patient."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from contracts.cloudevents import decode_security_event
from contracts.commands import Actor, ActorKind
from contracts.security import TokenIssued
from contracts.topics import SECURITY_EVENTS_TOPIC
from infra.settings import Settings
from infra.signing_keys import SigningKeys
from infra.tokens import Access, Role, TokenChecker
from ops.cli.options import TOKEN_MINUTES_MAX
from ops.tokens import MINUTES_MAX, STAFF_ID, register_patients
from tests.clinic import namespace, records
from tests.ops.conftest import clinic_command


@pytest.fixture
async def logged(migrated: Settings) -> AsyncIterator[Settings]:
    """A migrated database, and topics."""
    async with namespace(migrated) as settings:
        yield settings


def access(settings: Settings, token: str) -> Access:
    found = TokenChecker(SigningKeys.load(settings.signing_key_file)).check(token)
    assert found is not None, "the ingress would refuse it"
    return found


async def patient_id(settings: Settings, email: str) -> UUID:
    [found] = await register_patients(settings, [email])
    return found


async def test_the_staff_token_is_the_only_line_on_stdout(logged: Settings) -> None:
    answer = await asyncio.to_thread(clinic_command, logged, "token", "staff")

    [token] = answer.stdout.splitlines()
    found = access(logged, token)
    assert (found.actor, found.role) == (Actor(kind=ActorKind.STAFF, id=STAFF_ID), Role.STAFF)
    assert found.valid_for_s() == pytest.approx(15 * 60, abs=60)


async def test_there_are_none_in_production_mode(logged: Settings) -> None:
    proper = logged.model_copy(update={"production": True})
    for arguments in (("staff",), ("patient", "ann@example.com")):
        answer = await asyncio.to_thread(clinic_command, proper, "token", *arguments)

        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr == "`clinic token` is off in production mode.\n"


def test_the_staffs_id_never_changes() -> None:
    assert UUID("4f694a39-5409-5a07-8c2f-a51737b3345b") == STAFF_ID


async def test_a_patients_token_lasts_as_long_as_requested(logged: Settings) -> None:
    arguments = ("token", "patient", "ann@example.com", "--minutes", "2")
    answer = await asyncio.to_thread(clinic_command, logged, *arguments)

    [token] = answer.stdout.splitlines()
    found = access(logged, token)
    assert found.actor.id == await patient_id(logged, "ann@example.com")
    assert found.role is Role.PATIENT
    assert found.valid_for_s() == pytest.approx(120, abs=30)


def test_no_token_lasts_longer_than_a_quarter_of_an_hour(migrated: Settings) -> None:
    answer = clinic_command(migrated, "token", "staff", "--minutes", "16")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "less than or equal to 15" in answer.stderr
    assert MINUTES_MAX == TOKEN_MINUTES_MAX == 15


async def test_every_token_is_recorded(logged: Settings) -> None:
    answer = await asyncio.to_thread(clinic_command, logged, "token", "staff")

    [record] = await records(logged, SECURITY_EVENTS_TOPIC)
    event = decode_security_event(record)
    assert isinstance(event, TokenIssued)
    found = access(logged, answer.stdout.strip())
    assert (event.actor, event.session_id) == (found.actor, found.session_id)


async def test_an_address_is_one_patient_in_any_case_of_letters(migrated: Settings) -> None:
    first = await patient_id(migrated, "bob@example.com")

    assert await patient_id(migrated, "bob@example.com") == first
    assert await patient_id(migrated, "Bob@Example.COM") == first
    assert await patient_id(migrated, "rob@example.com") != first


def test_an_invalid_mail_address_is_misuse(migrated: Settings) -> None:
    answer = clinic_command(migrated, "token", "patient", "nobody")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "the mail address has no @" in answer.stderr


def test_a_missing_key_is_one_sentence(migrated: Settings) -> None:
    settings = migrated.model_copy(update={"signing_key_file": "nowhere.pem"})

    answer = clinic_command(settings, "token", "staff")

    assert answer.returncode == 1
    assert answer.stderr == "nowhere.pem does not hold the signing key (Ed25519, PKCS #8 PEM).\n"


def test_no_database_is_one_sentence(migrated: Settings) -> None:
    settings = migrated.model_copy(update={"postgres_dsn_ingress": "postgresql://a:b@127.0.0.1:1/clinic"})

    answer = clinic_command(settings, "token", "patient", "ann@example.com")

    assert answer.returncode == 1
    assert answer.stderr.startswith("Postgres does not answer: ")
    assert answer.stderr.count("\n") == 1
