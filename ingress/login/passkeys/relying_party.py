"""The clinic as a relying party of WebAuthn: what it asks of authenticators, and how it checks answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, options_to_json_dict, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from infra.settings import Settings
from storage.login.passkeys import Credential, Kept

Json = dict[str, Any]

TIMEOUT_MS = 5 * 60 * 1000
"""How long a person may take. The challenge lasts as long."""
CREDENTIAL_ID_BYTES_MIN, CREDENTIAL_ID_BYTES_MAX = 16, 1023
PUBLIC_KEY_BYTES_MAX = 2048
_VERIFIED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The domain that passkeys belong to, and the one origin whose pages may use them."""

    id: str
    name: str
    origin: str

    @classmethod
    def of(cls, settings: Settings) -> "RelyingParty":
        """The clinic of these settings. No passkey belongs to an address, so loopback is `localhost`."""
        parts = urlsplit(settings.origin or settings.url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
        if _is_address(host) and ip_address(host).is_loopback:
            host = "localhost"
        return cls(host, settings.name, f"{parts.scheme}://{host}{port}")

    @property
    def is_possible(self) -> bool:
        """False for a clinic that is reached by an address only: passkeys need a domain."""
        return not _is_address(self.id)

    def registration_options(
        self, challenge: bytes, user_handle: bytes, email: str, name: str | None, known: Sequence[bytes]
    ) -> Json:
        """`PublicKeyCredentialCreationOptionsJSON`. `known`: no authenticator that has one of these counts.

        The key is discoverable, so that a login needs no address, and the authenticator has to recognise the
        person. It does not have to say who made it.
        """
        options = generate_registration_options(
            rp_id=self.id,
            rp_name=self.name,
            user_id=user_handle,
            user_name=email,
            user_display_name=name or email,
            challenge=challenge,
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=id_) for id_ in known],
        )
        return options_to_json_dict(options)

    def login_options(self, challenge: bytes) -> Json:
        """`PublicKeyCredentialRequestOptionsJSON`. It names nobody's passkey: the person chooses one."""
        options = generate_authentication_options(
            rp_id=self.id, challenge=challenge, timeout=TIMEOUT_MS, user_verification=_VERIFIED
        )
        return options_to_json_dict(options)

    def registered(self, response: Json, challenge: bytes, user_handle: bytes) -> Credential | None:
        """The new public key of a `RegistrationResponseJSON`; None if that does not answer the challenge."""
        try:
            verified = verify_registration_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
            is_framed = _is_framed(response)
        except Exception:  # whatever the library meets in what somebody else has made
            return None
        fits = (
            CREDENTIAL_ID_BYTES_MIN <= len(verified.credential_id) <= CREDENTIAL_ID_BYTES_MAX
            and verified.credential_id == base64url_to_bytes(response["id"])
            and len(verified.credential_public_key) <= PUBLIC_KEY_BYTES_MAX
        )
        if is_framed or not fits:
            return None
        return Credential(
            verified.credential_id,
            verified.credential_public_key,
            verified.sign_count,
            verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            user_handle,
        )

    def asserted(self, response: Json, challenge: bytes, kept: Kept) -> int | None:
        """The counter in an `AuthenticationResponseJSON`; None if the passkey did not sign this challenge."""
        try:
            verified = verify_authentication_response(
                credential=response,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=kept.public_key,
                # Compared where the passkey's row is locked, and only once the signature was found right.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
            handle = base64url_to_bytes(response["response"]["userHandle"])
            is_framed = _is_framed(response)
        except Exception:  # as above
            return None
        is_synced = verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE
        fits = handle == kept.user_handle and is_synced is kept.synced and not is_framed
        return verified.new_sign_count if fits else None


def _is_framed(response: Json) -> bool:
    # The clinic is in no frame of another page, whose person might not know what they confirm.
    client_data = base64url_to_bytes(response["response"]["clientDataJSON"])
    return bool(parse_client_data_json(client_data).cross_origin)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
