"""Keys of access tokens are rotated while services run, and no token is refused for it."""

import asyncio
import stat
from pathlib import Path
from uuid import UUID

import pytest
import structlog

from infra import signing_keys
from infra.settings import Settings
from infra.signing_keys import SigningKeys, key_id, pem_blocks
from infra.tokens import Role, TokenChecker, issue_token
from ops import keys
from tests.waiting import beside, until_async

SOMEBODY = UUID(int=1)


class TestRotation:
    """`clinic keys rotate`: the next key signs, and is known everywhere before it does."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        settings = Settings(
            signing_key_file=tmp_path / "signing.pem",
            audit_key_file=tmp_path / "audit.pem",
            master_key_file=tmp_path / "master.key",
        )
        keys.init(settings)
        return settings

    def test_the_next_key_signs_and_the_earlier_one_still_verifies(self, settings: Settings) -> None:
        before = SigningKeys.load(settings.signing_key_file)
        signed_before, follows = before.public
        token = issue_token(before.signing, SOMEBODY, Role.PATIENT)

        signing, following = keys.rotate(settings)

        after = SigningKeys.load(settings.signing_key_file)
        assert signing == follows == key_id(after.signing.public_key())
        assert list(after.public) == [signing, following, signed_before]
        assert TokenChecker(after).check(token)
        assert TokenChecker(before).check(issue_token(after.signing, SOMEBODY, Role.PATIENT))
        assert stat.S_IMODE(settings.signing_key_file.stat().st_mode) == 0o600

    def test_the_private_part_of_an_earlier_key_is_gone(self, settings: Settings) -> None:
        before = pem_blocks(settings.signing_key_file.read_bytes())

        keys.rotate(settings)

        assert before[0] not in settings.signing_key_file.read_bytes()

    def test_a_bounded_number_of_earlier_keys_is_kept(self, settings: Settings) -> None:
        ids = [keys.rotate(settings)[0] for _ in range(5)]

        assert list(SigningKeys.load(settings.signing_key_file).public)[2:] == [ids[-2], ids[-3]]

    def test_a_file_of_one_key_can_be_rotated(self, settings: Settings) -> None:
        settings.signing_key_file.write_bytes(keys.new_ed25519_key())
        [before] = SigningKeys.load(settings.signing_key_file).public

        signing, following = keys.rotate(settings)

        assert list(SigningKeys.load(settings.signing_key_file).public) == [signing, following, before]

    def test_keys_that_somebody_else_has_are_dropped_at_once(self, settings: Settings) -> None:
        before = SigningKeys.load(settings.signing_key_file)

        signing, following = keys.rotate(settings, drop_old=True)

        after = SigningKeys.load(settings.signing_key_file)
        assert list(after.public) == [signing, following]
        assert not after.public.keys() & before.public.keys()

    async def test_a_running_service_takes_it_up(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signing_keys, "LOOK_INTERVAL_S", 0.01)
        path = settings.signing_key_file
        running = SigningKeys.load(path)
        signed_before = list(running.public)

        async def reported() -> bool:
            return any("cannot be read" in line["event"] for line in lines)

        with structlog.testing.capture_logs() as lines:
            async with beside(running.watch(path)):
                await asyncio.sleep(0)  # it has seen the file
                path.write_bytes(b"damaged")
                await until_async(reported, "the damage in the log", 5)
                assert list(running.public) == signed_before
                path.write_bytes(keys.new_signing_keys())

                async def taken_up() -> bool:
                    return list(running.public) != signed_before

                await until_async(taken_up, "the new keys", 5)
        assert list(running.public) == list(SigningKeys.load(path).public)
