"""Proof files byte for byte as c2sp.org/tlog-proof defines them: what is written, what is read."""

from __future__ import annotations

import base64
import hashlib

import pytest
from accord_client.checkpoint import ProofFile
from accord_client.failure import VerificationError
from accord_client.merkle import EMPTY_ROOT

from tests.unit.sdk.evidence import ORIGIN, Signer, checkpoint_text

FIRST, SECOND = (hashlib.sha256(text).digest() for text in (b"hash1", b"hash2"))
ONE, TWO = (base64.b64encode(value).decode() for value in (FIRST, SECOND))
TEXT = checkpoint_text(0, EMPTY_ROOT)
NOTE = f"{TEXT}\n{Signer(ORIGIN).line(TEXT)}"
HEADER = "c2sp.org/tlog-proof@v1\n"


@pytest.mark.parametrize(
    ("proof", "text"),
    [
        (
            ProofFile(5, (FIRST, SECOND), NOTE.encode()),
            f"{HEADER}index 5\n{ONE}\n{TWO}\n\n{NOTE}",
        ),
        (
            ProofFile(10, (FIRST,), NOTE.encode(), b"extra information"),
            f"{HEADER}extra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n{ONE}\n\n{NOTE}",
        ),
        (ProofFile(0, (), NOTE.encode()), f"{HEADER}index 0\n\n{NOTE}"),
        (ProofFile(0, (), NOTE.encode(), b""), f"{HEADER}extra \nindex 0\n\n{NOTE}"),
        (ProofFile((1 << 63) - 1, (), NOTE.encode()), f"{HEADER}index {(1 << 63) - 1}\n\n{NOTE}"),
    ],
)
def test_a_proof_is_written_and_read_byte_for_byte(proof: ProofFile, text: str) -> None:
    assert proof.serialise() == text.encode()
    assert ProofFile.parse(text.encode()) == proof


@pytest.mark.parametrize(
    "text",
    [
        f"wrong\nindex 0\n\n{NOTE}",
        f" {HEADER}index 0\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v2\nindex 0\n\n{NOTE}",
        f"{HEADER}\n{NOTE}",
        f"{HEADER}{ONE}\n\n{NOTE}",
        f"{HEADER}index 5\nextra QQ==\n\n{NOTE}",
        f"{HEADER}extra !!\nindex 0\n\n{NOTE}",
        f"{HEADER}extra QQ\nindex 0\n\n{NOTE}",
        f"{HEADER}extra QQ==\nextra QQ==\nindex 0\n\n{NOTE}",
        f"{HEADER}index\n\n{NOTE}",
        f"{HEADER}index x\n\n{NOTE}",
        f"{HEADER}index -5\n\n{NOTE}",
        f"{HEADER}index +5\n\n{NOTE}",
        f"{HEADER}index 05\n\n{NOTE}",
        f"{HEADER}index  5\n\n{NOTE}",
        f"{HEADER}index 5 \n\n{NOTE}",
        f"{HEADER}index 0x5\n\n{NOTE}",
        f"{HEADER}index {1 << 64}\n\n{NOTE}",
        f"{HEADER}index 5\nindex 5\n\n{NOTE}",
        f"{HEADER}index 5\n!!\n\n{NOTE}",
        f"{HEADER}index 5\n{ONE[:-1]}\n\n{NOTE}",
        f"{HEADER}index 5\n{base64.b64encode(FIRST * 2).decode()}\n\n{NOTE}",
        f"{HEADER}index 5\n{ONE} {TWO}\n\n{NOTE}",
        f"{HEADER}index 5\n" + f"{ONE}\n" * 64 + f"\n{NOTE}",
        f"{HEADER}index 5\r\n\r\n{NOTE}",
        f"{HEADER}index 5\n{ONE}",
        f"{HEADER}index 5\n{ONE}\n",
        "",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        ProofFile.parse(text.encode())
    assert caught.value.obligation == "format"


def test_the_checkpoint_is_everything_behind_the_first_blank_line() -> None:
    proof = ProofFile.parse(f"{HEADER}index 0\n\n{TEXT}\n{ORIGIN}".encode())
    assert proof.checkpoint == f"{TEXT}\n{ORIGIN}".encode()
