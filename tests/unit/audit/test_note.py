"""Notes, keys and checkpoints: what the format's own example says, and what must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.note import MalformedNoteError, VerifierKey, open_note, sign_note
from services.audit.store.log_key import LogKey, LogVerifier, vkey_path

# The same examples each time, and no judgement of how busy the machine is.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ORIGIN = "nl.accord.internal/audit"
# The example of c2sp.org/signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
# Of the sample log of transparency-dev/tessera.
SAMPLE_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


@pytest.fixture
def key(tmp_path: Path) -> LogKey:
    return LogKey.create(tmp_path / "log.key", ORIGIN)


@pytest.mark.parametrize("text", [EXAMPLE_KEY, SAMPLE_KEY])
def test_keys_of_others_read_and_print_the_same(text: str) -> None:
    assert str(VerifierKey.parse(text)) == text


@patient
@given(st.data())
def test_a_key_that_is_cut_or_changed_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(EXAMPLE_KEY) - 1))
    letter = data.draw(st.sampled_from("abcXYZ019+/= \n"))
    changed = EXAMPLE_KEY[:at] + letter + EXAMPLE_KEY[at + 1 :]
    for text in {EXAMPLE_KEY[:at], EXAMPLE_KEY[at + 1 :], changed} - {EXAMPLE_KEY}:
        with pytest.raises(MalformedNoteError):
            VerifierKey.parse(text)


def test_a_checkpoint_is_four_lines_a_stranger_can_read(key: LogKey) -> None:
    checkpoint = Checkpoint.sign(key, 0, EMPTY_ROOT)
    origin, size, root, empty, signature, end = checkpoint.note.split("\n")
    assert (origin, size, empty, end) == (ORIGIN, "0", "", "")
    assert root == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert signature.startswith(f"— {ORIGIN} ")
    assert Checkpoint.read(checkpoint.note, LogVerifier(key.key)) == checkpoint


@patient
@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_goes_unseen(data: st.DataObject) -> None:
    key = LogKey(ORIGIN, Ed25519PrivateKey.generate())
    note = Checkpoint.sign(key, 12, bytes(32)).note.encode()
    at = data.draw(st.integers(0, len(note) - 1))
    flipped = bytearray(note)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MalformedNoteError):
        Checkpoint.read(flipped.decode(errors="replace"), key)


def test_signatures_of_strangers_are_passed_over_but_do_not_suffice(
    key: LogKey, tmp_path: Path
) -> None:
    witness = LogKey.create(tmp_path / "witness.key", "witness.example.org")
    ours, theirs = sign_note("text\n", key), sign_note("text\n", witness)
    both = theirs + ours.rpartition("\n\n")[2]
    assert open_note(both, key) == "text\n"
    with pytest.raises(MalformedNoteError, match="not signed"):
        open_note(theirs, key)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n1\n47DEQpj8HBSa\n",
        f"{ORIGIN}\n1\nno base64!\n",
        f"{ORIGIN}\n1\n",
        "de.accord.internal/audit\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_of_this_log_is_refused(key: LogKey, text: str) -> None:
    with pytest.raises(MalformedNoteError):
        Checkpoint.read(sign_note(text, key), key)


def test_the_key_file_is_for_its_owner_and_its_log_alone(key: LogKey, tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    assert LogKey.load(path, ORIGIN).key == key.key
    assert VerifierKey.parse(vkey_path(path).read_text().strip()) == key.key
    with pytest.raises(ValueError, match="not of in"):
        LogKey.load(path, "in.accord.internal/audit")
    with pytest.raises(FileExistsError):
        LogKey.create(path, ORIGIN)
    path.chmod(0o644)
    with pytest.raises(ValueError, match="open to others"):
        LogKey.load(path, ORIGIN)


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+a+00000000+AQ==", "no key at all", "a+b+c"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="no Ed25519 note key"):
        LogKey.load(path, ORIGIN)
