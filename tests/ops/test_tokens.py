"""Tokens for operators and scripts: signed by the clinic's key, and for a patient that exists."""

import time
from uuid import UUID

import jwt
import pytest

from contracts.commands import Actor, ActorKind
from infra.settings import Settings
from infra.tokens import TokenChecker, load_signing_key
from ops.tokens import STAFF_ID, WORKING_DAY_HOURS, patient_token
from tests.ops.conftest import clinic_command


def actor(settings: Settings, token: str) -> Actor:
    checker = TokenChecker(load_signing_key(settings.signing_key_file).public_key())
    actor = checker.check(token)
    assert actor is not None, "the ingress would refuse it"
    return actor


async def patient_id(settings: Settings, email: str) -> UUID:
    found = actor(settings, await patient_token(settings, email))
    assert found.kind is ActorKind.PATIENT
    return found.id


def expires_in_s(token: str) -> float:
    return float(jwt.decode(token, options={"verify_signature": False})["exp"]) - time.time()


def test_the_staff_token_is_the_only_line_on_stdout(migrated: Settings) -> None:
    answer = clinic_command(migrated, "token", "staff")

    [token] = answer.stdout.splitlines()
    assert actor(migrated, token) == Actor(kind=ActorKind.STAFF, id=STAFF_ID)
    assert expires_in_s(token) == pytest.approx(12 * 3600, abs=60)
    assert WORKING_DAY_HOURS == 12


def test_the_staffs_id_never_changes() -> None:
    assert UUID("4f694a39-5409-5a07-8c2f-a51737b3345b") == STAFF_ID


def test_a_patients_token_lasts_as_long_as_asked(migrated: Settings) -> None:
    answer = clinic_command(migrated, "token", "patient", "ann@example.com", "--hours", "1")

    [token] = answer.stdout.splitlines()
    assert actor(migrated, token).kind is ActorKind.PATIENT
    assert expires_in_s(token) == pytest.approx(3600, abs=60)


async def test_an_address_is_one_patient_in_any_case_of_letters(migrated: Settings) -> None:
    first = await patient_id(migrated, "bob@example.com")

    assert await patient_id(migrated, "bob@example.com") == first
    assert await patient_id(migrated, "Bob@Example.COM") == first
    assert await patient_id(migrated, "rob@example.com") != first


def test_what_is_no_mail_address_is_misuse(migrated: Settings) -> None:
    answer = clinic_command(migrated, "token", "patient", "nobody")

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "not a mail address" in answer.stderr


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
