"""Only jars with the locked hashes are used."""

from pathlib import Path
from types import SimpleNamespace

import jgo.maven
import pytest

from infra.errors import ClinicError, MisconfiguredError
from ops.embedded import jars

JAR = jars.Jar("org.example", "thing", "1.0", sha256="0" * 64)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_CACHE_DIR", str(tmp_path))
    kafka = jars.Jar("org.apache.kafka", "kafka_2.13", "4.4.0", sha256="1" * 64)
    monkeypatch.setattr(jars, "locked", lambda: [JAR, kafka])


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes | Exception) -> None:
    """Make the repository answer every request with `content`."""

    class Context:
        def __init__(self, repo_cache: Path, remote_repos: dict[str, str] | None, timeout: int) -> None:
            assert remote_repos is None, "no mirror is named"
            self.repo_cache = repo_cache

        def project(self, group: str, artifact: str) -> "Context":
            self.artifact_id = artifact
            return self

        def at_version(self, version: str) -> SimpleNamespace:
            def resolve() -> Path:
                if isinstance(content, Exception):
                    raise content
                self.repo_cache.mkdir(exist_ok=True)
                path = self.repo_cache / f"{self.artifact_id}-{version}.jar"
                path.write_bytes(content)
                return path

            return SimpleNamespace(artifact=lambda: SimpleNamespace(resolve=resolve))

    monkeypatch.setattr(jgo.maven, "MavenContext", Context)


def test_other_bytes_are_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, b"tampered")

    with pytest.raises(MisconfiguredError, match="is not the locked file"):
        jars.classpath()

    assert list((tmp_path / "kafka-4.4.0").iterdir()) == []


def test_a_repository_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, RuntimeError("no route"))

    with pytest.raises(ClinicError, match="could not be downloaded: no route"):
        jars.classpath()
