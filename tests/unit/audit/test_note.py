"""Notes, keys and checkpoints: what the format's own example says, and what must be refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.log_keys import KnownLog, LogKeys
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.note import (
    COSIGNATURE,
    MalformedNoteError,
    VerifierKey,
    open_note,
    sign_note,
)
from services.audit.store.note_key import NoteKey, NoteVerifier, vkey_path

# The same examples each time, and no judgement of how busy the machine is.
patient = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
ORIGIN = "nl.accord.internal/audit"
# The example of c2sp.org/signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""  # noqa: E501  as it was published
# Of the sample log of transparency-dev/tessera.
SAMPLE_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def new(name: str = ORIGIN) -> NoteKey:
    return NoteKey(name, Ed25519PrivateKey.generate())


def log_of(*keys: NoteKey) -> LogKeys:
    return LogKeys(keys[0].key.name, keys, keys)


@pytest.fixture
def key(tmp_path: Path) -> NoteKey:
    return NoteKey.create(tmp_path / "log.key", ORIGIN)


@pytest.mark.parametrize("text", [EXAMPLE_KEY, SAMPLE_KEY])
def test_keys_of_others_read_and_print_the_same(text: str) -> None:
    assert str(VerifierKey.parse(text)) == text


def test_the_example_of_the_format_opens() -> None:
    opened = open_note(EXAMPLE_NOTE, [NoteVerifier(VerifierKey.parse(EXAMPLE_KEY))])
    assert opened.text == "This is an example message.\n"
    assert opened.signatures[0].line == EXAMPLE_NOTE.partition("\n\n")[2]


@patient
@given(st.data())
def test_a_key_that_is_cut_or_changed_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(EXAMPLE_KEY) - 1))
    letter = data.draw(st.sampled_from("abcXYZ019+/= \n"))
    changed = EXAMPLE_KEY[:at] + letter + EXAMPLE_KEY[at + 1 :]
    for text in {EXAMPLE_KEY[:at], EXAMPLE_KEY[at + 1 :], changed} - {EXAMPLE_KEY}:
        with pytest.raises(MalformedNoteError):
            VerifierKey.parse(text)


def test_a_key_of_a_kind_unknown_here_is_refused() -> None:
    with pytest.raises(MalformedNoteError, match="type"):
        VerifierKey(ORIGIN, bytes(32), 0x02)


def test_a_checkpoint_is_four_lines_a_stranger_can_read(key: NoteKey) -> None:
    checkpoint = Checkpoint.sign(log_of(key), 0, EMPTY_ROOT)
    origin, size, root, empty, signature, end = checkpoint.note.split("\n")
    assert (origin, size, empty, end) == (ORIGIN, "0", "", "")
    assert root == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert signature.startswith(f"— {ORIGIN} ")
    read = Checkpoint.read(checkpoint.note, KnownLog(ORIGIN, (NoteVerifier(key.key),)))
    assert read == checkpoint
    assert read.text == f"{ORIGIN}\n0\n{root}\n"


@patient
@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_goes_unseen(data: st.DataObject) -> None:
    log = log_of(new())
    note = Checkpoint.sign(log, 12, bytes(32)).note.encode()
    at = data.draw(st.integers(0, len(note) - 1))
    flipped = bytearray(note)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MalformedNoteError):
        Checkpoint.read(flipped.decode(errors="replace"), log)


def test_signatures_of_strangers_are_passed_over_but_do_not_suffice(key: NoteKey) -> None:
    both = sign_note("text\n", [new("witness.example.org"), key])
    assert [each.key for each in open_note(both, [key]).signatures] == [key.key]
    with pytest.raises(MalformedNoteError, match="not signed by nl"):
        open_note(sign_note("text\n", [new("witness.example.org")]), [key])


def test_a_key_of_the_same_name_is_a_stranger_all_the_same(key: NoteKey) -> None:
    """During a change of keys one pin meets two lines of one name."""
    newer = new()
    both = sign_note("text\n", [newer, key])
    assert len(open_note(both, [newer, key]).signatures) == 2
    assert len(open_note(both, [key]).signatures) == 1
    with pytest.raises(MalformedNoteError, match="not signed"):
        open_note(sign_note("text\n", [newer]), [key])


def test_one_wrong_line_of_a_known_key_refuses_the_note_whoever_else_stands_by_it(
    key: NoteKey,
) -> None:
    witness = new("witness.example.org")
    foreign = sign_note("another text\n", [witness]).rpartition("\n\n")[2]
    note = sign_note("text\n", [key]) + foreign
    assert open_note(note, [key]).text == "text\n"
    with pytest.raises(MalformedNoteError, match="signature of witness"):
        open_note(note, [key, witness])


def test_sixteen_signers_and_more_are_read_and_a_hundred_and_one_are_not(key: NoteKey) -> None:
    # Up to nearly 5 kB each, as those that a quantum computer does not forge.
    strangers = [f"— witness-{n} {'QUJDRA' + 'A' * 6498}\n" for n in range(100)]
    ours = sign_note("text\n", [key])
    assert open_note(ours + "".join(strangers[:99]), [key]).text == "text\n"
    with pytest.raises(MalformedNoteError, match="more than 100"):
        open_note(ours + "".join(strangers), [key])


def test_a_text_may_have_empty_lines_and_ends_at_the_last(key: NoteKey) -> None:
    text = "a\n\nb\n\n"
    assert open_note(sign_note(text, [key]), [key]).text == text


@pytest.mark.parametrize(
    "line",
    [
        "- nl.accord.internal/audit AAAAAAAA\n",
        "—  nl.accord.internal/audit AAAAAAAA\n",
        "— nl.accord.internal/audit  AAAAAAAA\n",
        "— nl.accord.internal/audit AAAAAA==\n",
        "— nl+accord AAAAAAAA\n",
        "— nl.accord.internal/audit AAAAAAA\n",
        "— nl.accord.internal/audit AAAAAAAA \n",
        "— nl.accord.internal/audit AAAAAAAA",
        "\n",
        "— nl.accord.internal/audit AAAAAAAA\r\n",
    ],
)
def test_a_malformed_line_refuses_the_note(key: NoteKey, line: str) -> None:
    with pytest.raises(MalformedNoteError):
        open_note(sign_note("text\n", [key]) + line, [key])


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n9223372036854775808\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        f"{ORIGIN}\n1\n47DEQpj8HBSa\n",
        f"{ORIGIN}\n1\nno base64!\n",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nmore\n",
        "de.accord.internal/audit\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_of_this_log_is_refused(
    key: NoteKey, text: str
) -> None:
    with pytest.raises(MalformedNoteError):
        Checkpoint.read(sign_note(text, [key]), log_of(key))


def test_the_key_file_is_for_its_owner_and_its_log_alone(key: NoteKey, tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    assert NoteKey.load(path, ORIGIN).key == key.key
    assert VerifierKey.parse(vkey_path(path).read_text().strip()) == key.key
    with pytest.raises(ValueError, match="not of in"):
        NoteKey.load(path, "in.accord.internal/audit")
    with pytest.raises(ValueError, match="of type 4"):
        NoteKey.load(path, ORIGIN, COSIGNATURE)
    with pytest.raises(FileExistsError):
        NoteKey.create(path, ORIGIN)
    path.chmod(0o644)
    with pytest.raises(ValueError, match="open to others"):
        NoteKey.load(path, ORIGIN)


@pytest.mark.parametrize("text", ["", "PRIVATE+KEY+a+00000000+AQ==", "no key at all", "a+b+c"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ValueError, match="no Ed25519 note key"):
        NoteKey.load(path, ORIGIN)
