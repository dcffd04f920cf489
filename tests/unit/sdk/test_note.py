"""Signed notes and checkpoints: what is read, and everything that is refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from accord_client.checkpoint import Checkpoint, ProofFile
from accord_client.failure import VerificationError
from accord_client.merkle import EMPTY_ROOT
from accord_client.note import Algorithm, VerifierKey, open_note, parse_keys
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sdk.evidence import ORIGIN, WITNESS, Signer, checkpoint_text

LOG = Signer(ORIGIN)
OTHER = Signer("example.com/other")
TEXT = checkpoint_text(0, EMPTY_ROOT)
NOTE = f"{TEXT}\n{LOG.line(TEXT)}"

# Published by their owners: the keys of three logs of the world.
PUBLISHED_KEYS = [
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx",
    "witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN",
]


@pytest.mark.parametrize("text", PUBLISHED_KEYS)
def test_published_keys_read_and_write_back(text: str) -> None:
    assert str(VerifierKey.parse(text)) == text


def test_no_beginning_of_a_key_is_a_key() -> None:
    for text in PUBLISHED_KEYS:
        for end in range(len(text)):
            with pytest.raises(VerificationError) as caught:
                VerifierKey.parse(text[:end])
            assert caught.value.obligation == "key"


def test_a_key_whose_id_is_another_is_refused() -> None:
    name, _, encoded = PUBLISHED_KEYS[0].split("+", 2)
    with pytest.raises(VerificationError, match="key id"):
        VerifierKey.parse(f"{name}+00000000+{encoded}")


def test_a_key_file_holds_keys_and_comments() -> None:
    keys = parse_keys(f"# the log of nl\n\n{LOG.key}\n  {OTHER.key}\n")
    assert keys == (LOG.key, OTHER.key)


@pytest.mark.parametrize("text", ["", "# nothing\n", f"{LOG.key}\n{LOG.key}\n", "not a key"])
def test_a_key_file_without_a_clear_answer_is_refused(text: str) -> None:
    with pytest.raises(VerificationError):
        parse_keys(text)


def test_a_checkpoint_opens_with_the_key_of_its_origin() -> None:
    checkpoint = Checkpoint.open(NOTE.encode(), [OTHER.key, LOG.key])
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 0, EMPTY_ROOT)
    assert [signature.key for signature in checkpoint.signatures] == [LOG.key]


def test_a_cosignature_states_its_time() -> None:
    witness = Signer(WITNESS, Algorithm.COSIGNATURE)
    note = NOTE + witness.line(TEXT, at=1_750_000_000)
    checkpoint = Checkpoint.open(note.encode(), [LOG.key, witness.key])
    times = {signature.key.name: signature.time for signature in checkpoint.signatures}
    assert times == {ORIGIN: None, WITNESS: datetime.fromtimestamp(1_750_000_000, UTC)}


def test_a_witness_alone_does_not_speak_for_the_log() -> None:
    witness = Signer(ORIGIN, Algorithm.COSIGNATURE)
    note = f"{TEXT}\n{witness.line(TEXT, at=1_750_000_000)}"
    with pytest.raises(VerificationError) as caught:
        Checkpoint.open(note.encode(), [witness.key])
    assert caught.value.obligation == "signature"


def test_another_log_does_not_speak_for_this_one_though_its_key_is_pinned_too() -> None:
    note = f"{TEXT}\n{OTHER.line(TEXT)}"
    with pytest.raises(VerificationError) as caught:
        Checkpoint.open(note.encode(), [LOG.key, OTHER.key])
    assert caught.value.obligation == "signature"


@pytest.mark.parametrize("char", ["\t", "\x00", "\x1b"])
def test_a_control_character_is_refused_though_it_was_signed(char: str) -> None:
    text = f"{TEXT}extension{char}\n"
    with pytest.raises(VerificationError, match="control character"):
        open_note(f"{text}\n{LOG.line(text)}".encode(), [LOG.key])


def test_signatures_of_unknown_keys_are_ignored_and_do_not_count() -> None:
    note = NOTE + OTHER.line(TEXT)
    assert len(open_note(note.encode(), [LOG.key]).signatures) == 1
    with pytest.raises(VerificationError, match="no pinned key"):
        open_note(note.encode(), [Signer(ORIGIN).key])


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    note = NOTE + OTHER.line(TEXT + "more\n")
    with pytest.raises(
        VerificationError, match=r"example\.com/other \(key [0-9a-f]{8}\) does not verify"
    ):
        open_note(note.encode(), [LOG.key, OTHER.key])


@given(position=st.integers(0, len(NOTE.encode()) - 1), change=st.integers(1, 255))
def test_no_altered_byte_of_a_checkpoint_is_accepted(position: int, change: int) -> None:
    data = bytearray(NOTE.encode())
    data[position] ^= change
    with pytest.raises(VerificationError):
        Checkpoint.open(bytes(data), [LOG.key])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        NOTE.encode()[:-1],
        NOTE.replace("\n", "\r\n").encode(),
        b"\xff" + NOTE.encode(),
        (NOTE + "\n").encode(),
        NOTE.replace("— ", "- ").encode(),
        (NOTE + "— name =AAA\n").encode(),
        (NOTE + "— name AAAAAA==\n").encode(),
        (NOTE + OTHER.line(TEXT) * 100).encode(),
        b"a" * 1_000_001,
    ],
)
def test_what_is_no_note_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        open_note(data, [LOG.key])
    assert caught.value.obligation == "format"


ROOT = base64.b64encode(EMPTY_ROOT).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n01\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n",
        f"{ORIGIN}\n٣\n{ROOT}\n",
        f"{ORIGIN}\n{1 << 63}\n{ROOT}\n",
        f"{ORIGIN}\n0\n{ROOT[:-4]}\n",
        f"{ORIGIN}\n0\n{ROOT[:-2]}V=\n",
        f"{ORIGIN}\n0\n",
        f"{ORIGIN}\n\n0\n{ROOT}\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        Checkpoint.open(f"{text}\n{LOG.line(text)}".encode(), [LOG.key])
    assert caught.value.obligation == "format"


@given(
    index=st.integers(0, (1 << 63) - 1),
    path=st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    extra=st.none() | st.binary(),
)
def test_proof_files_read_back(index: int, path: list[bytes], extra: bytes | None) -> None:
    proof = ProofFile(index, tuple(path), NOTE.encode(), extra)
    assert ProofFile.parse(proof.serialise()) == proof


@given(st.binary())
def test_no_input_breaks_the_reader_of_proof_files(data: bytes) -> None:
    for text in (data, b"c2sp.org/tlog-proof@v1\n" + data):
        try:
            ProofFile.parse(text)
        except VerificationError as error:
            assert error.obligation == "format"  # noqa: PT017 -- most inputs, not all, are refused
