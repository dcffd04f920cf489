"""Cosignatures: those of a witness that others wrote, and what must not pass for one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.domain.cosignature import Cosigner, cosign
from services.audit.domain.note import (
    COSIGNATURE,
    MalformedNoteError,
    Signature,
    VerifierKey,
    open_note,
    sign_note,
)
from services.audit.store.note_key import NoteKey, NoteVerifier

TEXT = "nl.accord.internal/audit\n12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
AT = datetime(2026, 6, 1, 12, 0, 0, 900_000, tzinfo=UTC)
# A checkpoint of Sunlight's test data, cosigned by Sunlight's witness.
SUNLIGHT_KEY = "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"
SUNLIGHT_NOTE = """rome2026h1.example.org
300
lCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=

— rome2026h1.example.org kVB1JgAAAZtxtEwABAMARzBFAiEAi+mTa2xjL1IdWpH82OeciGsGvwRAP+f1WkfKaSZCfFECIHoNPZ/Q3y6UNzvKOO9cuLr6V16vPNfhwhle9f6r5H/Z
— witness.example.org uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==
"""  # noqa: E501  as it was published


def witness(name: str = "in.accord.internal/witness") -> NoteKey:
    return NoteKey(name, Ed25519PrivateKey.generate(), COSIGNATURE)


def seconds(cosignature: Signature) -> int:
    return int.from_bytes(cosignature.signature[:8])


def test_a_cosignature_that_others_made_is_read() -> None:
    """The log's own line there is of a kind unknown here, and passed over."""
    cosigner = Cosigner(NoteVerifier(VerifierKey.parse(SUNLIGHT_KEY)))
    (cosignature,) = open_note(SUNLIGHT_NOTE, [cosigner]).signatures
    assert seconds(cosignature) == 1767139200
    with pytest.raises(MalformedNoteError, match="signature of witness"):
        open_note(SUNLIGHT_NOTE.replace("\n300\n", "\n301\n"), [cosigner])


def test_a_cosignature_is_eight_bytes_of_time_and_sixty_four_of_signature() -> None:
    key = witness()
    made = cosign(key, TEXT, AT)
    assert len(made.signature) == 72
    assert seconds(made) == int(AT.timestamp())
    message = f"cosignature/v1\ntime {int(AT.timestamp())}\n{TEXT}".encode()
    assert key.verify(made.signature[8:], message)
    assert Cosigner(key).verify(made.signature, TEXT.encode())
    assert made.line.startswith("— in.accord.internal/witness ")
    assert open_note(f"{TEXT}\n{made.line}", [Cosigner(key)]).signatures == (made,)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 8 * 72 - 1))
def test_no_flipped_bit_of_a_cosignature_goes_unseen(bit: int) -> None:
    """Its time is covered, too."""
    key = witness()
    flipped = bytearray(cosign(key, TEXT, AT).signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not Cosigner(key).verify(bytes(flipped), TEXT.encode())


@pytest.mark.parametrize("time", [0, 1 << 63, (1 << 64) - 1])
def test_a_cosignature_without_a_time_is_none(time: int) -> None:
    key = witness()
    signed = key.sign(b"cosignature/v1\ntime %d\n" % time + TEXT.encode())
    assert not Cosigner(key).verify(time.to_bytes(8) + signed, TEXT.encode())


def test_a_bare_signature_of_a_witness_is_no_cosignature() -> None:
    key = witness()
    with pytest.raises(MalformedNoteError, match="is wrong"):
        open_note(sign_note(TEXT, [key]), [Cosigner(key)])
    assert not Cosigner(key).verify(b"", TEXT.encode())


def test_the_key_of_a_log_does_not_cosign() -> None:
    with pytest.raises(MalformedNoteError, match="not the key of a witness"):
        Cosigner(NoteKey("nl.accord.internal/audit", Ed25519PrivateKey.generate()))


def test_one_secret_gives_log_and_witness_different_key_ids() -> None:
    private = Ed25519PrivateKey.generate()
    assert NoteKey("a", private).key.key_id != NoteKey("a", private, COSIGNATURE).key.key_id
