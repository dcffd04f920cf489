"""What is sealed opens here, at its place, unchanged, or not at all."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.fault import Fault
from runtime.seal import Sealer, UnsealError
from services.account.domain.profile import Field, Identity, ProviderTokens, Value
from services.account.domain.registration import Registration
from services.account.store.vault import MAX_REGISTRATION, SealedVault

KEY, OTHER_KEY = bytes(32), bytes(31) + b"\x01"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
# The same examples each time, and no haste on a busy machine.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def a_registration(**more: object) -> Registration:
    identity = Identity(
        "google",
        "https://accounts.google.com",
        "104310000000000000001",
        (
            Value(Field.NICKNAME, "陳美玲", verified=False),
            Value(Field.EMAIL, "meiling@mail.example", verified=True),
            Value(Field.PICTURE, "https://localhost/p.svg", verified=False),
        ),
        ProviderTokens("access", "refresh", NOON),
    )
    return Registration(bytes(32), replace(identity, **more), NOON)  # type: ignore[arg-type]  # fields by name


@patient
@given(TEXT, TEXT, TEXT)
def test_what_is_sealed_opens(text: str, purpose: str, place: str) -> None:
    sealed = Sealer(KEY, "account").seal(text, purpose, place)
    assert Sealer(KEY, "account").open(sealed, purpose, place) == text


@patient
@given(st.binary(max_size=100))
def test_nothing_else_opens(sealed: bytes) -> None:
    with pytest.raises(UnsealError):
        Sealer(KEY, "account").open(sealed, "import", "link-1/contact.email")


def test_a_sealed_text_opens_for_no_other_purpose_place_or_key() -> None:
    """Whoever can write the database cannot move a token from one person to another."""
    sealed = Sealer(KEY, "account").seal("token", "provider_tokens", "link-1")
    for key, purpose, place in (
        (KEY, "provider_tokens", "link-2"),
        (KEY, "import", "link-1"),
        (OTHER_KEY, "provider_tokens", "link-1"),
    ):
        with pytest.raises(UnsealError):
            Sealer(key, "account").open(sealed, purpose, place)


@patient
@given(st.integers(0, 200), st.integers(1, 255))
def test_a_flipped_bit_is_found(position: int, mask: int) -> None:
    sealed = bytearray(Sealer(KEY, "account").seal("token", "provider_tokens", "link-1"))
    sealed[position % len(sealed)] ^= mask
    with pytest.raises(UnsealError):
        Sealer(KEY, "account").open(bytes(sealed), "provider_tokens", "link-1")


@patient
@given(st.lists(TEXT, min_size=1, max_size=3), st.lists(TEXT, min_size=1, max_size=3))
def test_derived_secrets_differ_unless_all_parts_are_the_same(
    parts: list[str], others: list[str]
) -> None:
    sealer = Sealer(KEY, "account")
    assert (sealer.derive("a", *parts) == sealer.derive("a", *others)) == (parts == others)
    assert sealer.derive("a", *parts) != sealer.derive("b", *parts)
    assert sealer.derive("a", *parts) != Sealer(OTHER_KEY, "account").derive("a", *parts)
    assert len(sealer.derive("a", *parts)) == 43


def test_a_registration_opens_as_it_was() -> None:
    vault = SealedVault(Sealer(KEY, "account"))
    assert vault.open_registration(vault.seal_registration(a_registration())) == a_registration()


@patient
@given(st.integers(1, 1024), st.integers(1, 4096))
def test_a_registration_fits_a_cookie(name: int, token: int) -> None:
    """Long names and tokens leave things out; the identity itself is never lost."""
    vault = SealedVault(Sealer(KEY, "account"))
    wide = a_registration(
        values=(
            Value(Field.NICKNAME, "n" * name, verified=False),
            Value(Field.PICTURE, "https://" + "p" * 1000, verified=False),
        ),
        tokens=ProviderTokens("a" * token, "r" * 200, NOON),
    )
    sealed = vault.seal_registration(wide)
    assert len(sealed) <= MAX_REGISTRATION
    opened = vault.open_registration(sealed)
    assert opened.identity.subject == wide.identity.subject
    assert opened.identity.values[0] == wide.identity.values[0]


@patient
@given(st.text(max_size=100))
def test_what_is_no_registration_is_unknown(text: str) -> None:
    with pytest.raises(Fault) as refused:
        SealedVault(Sealer(KEY, "account")).open_registration(text)
    assert refused.value.reason == "REGISTRATION_UNKNOWN"


def test_nothing_secret_is_in_a_repr() -> None:
    registration = a_registration()
    shown = repr(registration) + repr(SealedVault(Sealer(KEY, "account")).parameters("secret"))
    for text in ("access", "refresh", "陳美玲", "meiling", "104310000000000000001"):
        assert f"'{text}" not in shown


@pytest.mark.parametrize("content", ["", "short", base64.b64encode(bytes(31)).decode(), "ü"])
def test_a_bad_key_file_is_refused_at_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sealing.key"
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer.load(path, "account")
