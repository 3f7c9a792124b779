"""Examples of logins for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from ingress.login.bodies import (
    ChallengeBody,
    ChallengeView,
    LoginBody,
    RefreshBody,
    SessionList,
    StaffLoginBody,
    TokensView,
)
from ingress.login.passkeys.bodies import (
    PasskeyBody,
    PasskeyList,
    PasskeyLoginBody,
    PasskeyOptionsView,
    PasskeyView,
)
from ingress.login.public_keys import PublicKeySet
from ingress.patients.addresses import ConfirmBody, EmailBody, PhoneBody

Json = dict[str, Any]

SOME_ID = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
REFRESH_TOKEN = "6KvJ0mZl3n1ZB2xqkXw7yQm2c5m9m4y8J0q1Zr3uTtE"  # noqa: S105 (an example)
TOKENS = {
    "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
    "token_type": "Bearer",
    "expires_in": 900,
    "refresh_token": REFRESH_TOKEN,
}
SESSION = {
    "id": SOME_ID,
    "role": "patient",
    "methods": ["otp"],
    "begun_at": "2026-11-25T09:00:00+01:00",
    "used_at": "2026-11-25T09:30:00+01:00",
    "ends_at": "2026-12-02T09:30:00+01:00",
    "current": True,
}
PASSKEY = {
    "id": SOME_ID,
    "name": "my phone",
    "synced": True,
    "created_at": "2026-11-25T09:00:00+01:00",
    "used_at": None,
}
CREDENTIAL_ID = "7Qx3cN5vT0yqk2bUu1JYJw"
CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0"
PASSKEY_LOGIN = {
    "challenge_id": SOME_ID,
    "passkey": {
        "id": CREDENTIAL_ID,
        "rawId": CREDENTIAL_ID,
        "type": "public-key",
        "response": {
            "clientDataJSON": CLIENT_DATA,
            "authenticatorData": "SZYN5YgOjGh0NBcPZHZgW4_krrmihjLHmVzzuoMdl2MFAAAAAQ",
            "signature": "MEUCIQDj3w",
            "userHandle": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        },
    },
}
NEW_PASSKEY = {
    "challenge_id": SOME_ID,
    "name": "my phone",
    "passkey": {
        "id": CREDENTIAL_ID,
        "rawId": CREDENTIAL_ID,
        "type": "public-key",
        "response": {"clientDataJSON": CLIENT_DATA, "attestationObject": "o2NmbXRkbm9uZQ"},
    },
}
PASSKEY_OPTIONS = {
    "challenge_id": SOME_ID,
    "expires_at": "2026-11-25T09:05:00+01:00",
    "public_key": {
        "challenge": "6KvJ0mZl3n1ZB2xqkXw7yQm2c5m9m4y8J0q1Zr3uTtE",
        "timeout": 300000,
        "rpId": "clinic.example.org",
        "allowCredentials": [],
        "userVerification": "required",
    },
}
PUBLIC_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    "use": "sig",
    "alg": "EdDSA",
}


def example(value: Json) -> Json:
    """The only example of a schema."""
    return {"example": {"value": value}}


def page(item: Json) -> Json:
    """The only example of a list: a page of one item."""
    return example({"items": [item], "next_cursor": None})


LOGIN: dict[type[BaseModel], Json] = {
    ChallengeBody: example({"email": "new.patient@example.com"}),
    ChallengeView: example({"challenge_id": SOME_ID, "expires_at": "2026-11-25T09:10:00+01:00"}),
    LoginBody: {
        "a program": {"value": {"challenge_id": SOME_ID, "code": "12345678"}},
        "a page": {"value": {"challenge_id": SOME_ID, "code": "12345678", "session": "cookie"}},
    },
    StaffLoginBody: {
        "staff": {
            "value": {
                "email": "staff@example.com",
                "password": "seven unrelated quiet words",
                "totp": "492039",
            }
        }
    },
    PasskeyLoginBody: {"a passkey": {"value": PASSKEY_LOGIN}},
    PasskeyBody: example(NEW_PASSKEY),
    PasskeyOptionsView: example(PASSKEY_OPTIONS),
    PasskeyView: example(PASSKEY),
    PasskeyList: page(PASSKEY),
    EmailBody: example({"email": "new.address@example.com"}),
    PhoneBody: example({"phone": "+4915112345678"}),
    ConfirmBody: example({"challenge_id": SOME_ID, "code": "12345678"}),
    RefreshBody: example({"refresh_token": REFRESH_TOKEN}),
    TokensView: example(TOKENS),
    SessionList: page(SESSION),
    PublicKeySet: example({"keys": [PUBLIC_KEY]}),
}
"""By model, as in `ingress.openapi.examples.bodies`."""
