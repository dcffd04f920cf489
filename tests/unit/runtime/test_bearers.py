"""Bearer tokens: who holds one, and who does not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from runtime.bearers import Bearers, BearersError
from runtime.fault import Fault
from runtime.identity import parse

if TYPE_CHECKING:
    from pathlib import Path

STORE = parse("spiffe://nl.accord.internal/app/mi-store")
CHAT = parse("spiffe://nl.accord.internal/app/live-chat")


def test_tokens_are_known_by_their_digest_and_of_apps_alone(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    file.write_text(f"# first\n\n{digest} mi-store # of a tool\n")
    bearers = Bearers(file, {"mi-store"}, "nl")
    assert bearers.app_of("secret") == "mi-store"
    for other in ("", "Secret", digest, "secret ", "x" * 1000, "s\u00e9cret"):
        assert bearers.app_of(other) is None
    assert Bearers(None, {"mi-store"}, "nl").app_of("secret") is None
    for text in (
        digest,
        f"{digest} mi-stork",
        f"{digest.upper()} mi-store",
        f"{digest[:-1]} mi-store",
    ):
        file.write_text(text)
        with pytest.raises(BearersError):
            Bearers(file, {"mi-store"}, "nl")
    file.write_text(f"{digest} mi-store")
    file.chmod(0o644)
    with pytest.raises(BearersError, match="chmod"):
        Bearers(file, {"mi-store"}, "nl")


def test_a_caller_is_a_certificate_or_a_token_and_never_two(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    file.write_text(f"{hashlib.sha256(b'secret').hexdigest()} mi-store\n")
    bearers = Bearers(file, {"mi-store"}, "nl")
    assert bearers.caller(None, "Bearer secret") == STORE
    assert bearers.caller(None, "bearer  secret ") == STORE
    assert bearers.caller(STORE, "Bearer secret") == STORE
    assert bearers.caller(CHAT, None) == CHAT
    for certificate, authorization in (
        (None, None),
        (None, ""),
        (None, "Bearer"),
        (None, "Bearer other"),
        (None, "Basic secret"),
        (CHAT, "Bearer secret"),
        (STORE, "Bearer other"),
    ):
        with pytest.raises(Fault, match="bearer token"):
            bearers.caller(certificate, authorization)
