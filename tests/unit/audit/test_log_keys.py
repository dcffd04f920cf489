"""The files of a log's keys: one follows another, and a crash at any step loses none."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import MalformedNoteError, VerifierKey
from services.audit.store.log_keys import (
    create_log_key,
    load_log_keys,
    retire_log_keys,
    rotate_log_key,
)
from services.audit.store.note_key import NoteKey, NoteVerifier, vkey_path

ORIGIN = "nl.accord.internal/audit"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.key"
    create_log_key(path, ORIGIN)
    return path


def pinned(path: Path) -> KnownLog:
    """Pins the log's key as an auditor does: a copy of the vkey of now."""
    key = VerifierKey.parse(vkey_path(path).read_text().strip())
    return KnownLog(ORIGIN, (NoteVerifier(key),))


def test_during_a_change_both_keys_sign_and_every_pin_holds(path: Path) -> None:
    old_pin, first = pinned(path), Checkpoint.sign(load_log_keys(path, ORIGIN), 1, bytes(32))
    rotate_log_key(path, ORIGIN)
    new_pin, keys = pinned(path), load_log_keys(path, ORIGIN)
    assert new_pin != old_pin
    assert [keys.key] == [verifier.key for verifier in new_pin.verifiers]
    both = Checkpoint.sign(keys, 2, bytes(32))
    assert both.note.count(f"— {ORIGIN} ") == 2
    for pin in (old_pin, new_pin, keys):
        assert Checkpoint.read(both.note, pin).size == 2
    (retired,) = retire_log_keys(path, ORIGIN)
    keys = load_log_keys(path, ORIGIN)
    alone = Checkpoint.sign(keys, 3, bytes(32))
    assert Checkpoint.read(alone.note, new_pin).size == 3
    with pytest.raises(MalformedNoteError, match="not signed by"):
        Checkpoint.read(alone.note, old_pin)
    # What the old key has signed stays verifiable, here and with its pin.
    assert retired in [verifier.key for verifier in keys.verifiers]
    for pin in (old_pin, keys):
        assert Checkpoint.read(first.note, pin) == first


def test_a_retired_secret_is_gone_and_its_public_half_stays(path: Path) -> None:
    secrets = {path.read_text()}
    for _ in range(3):
        rotate_log_key(path, ORIGIN)
        secrets.add(path.read_text())
        retire_log_keys(path, ORIGIN)
    (left,) = [file for file in path.parent.iterdir() if file.read_text() in secrets]
    assert left == path
    assert len(load_log_keys(path, ORIGIN).verifiers) == 4
    assert len(list(path.parent.glob("log-*.vkey"))) == 3
    assert retire_log_keys(path, ORIGIN) == []


def test_a_change_begins_when_the_one_before_has_ended(path: Path) -> None:
    rotate_log_key(path, ORIGIN)
    before = sorted(file.name for file in path.parent.iterdir())
    with pytest.raises(ValueError, match="still signs: retire it"):
        rotate_log_key(path, ORIGIN)
    assert sorted(file.name for file in path.parent.iterdir()) == before


def test_keygen_again_changes_nothing_and_mends_the_vkey(path: Path) -> None:
    key = path.read_text()
    vkey_path(path).write_text("cut short")
    create_log_key(path, ORIGIN)
    assert path.read_text() == key
    assert pinned(path).verifiers[0].key == load_log_keys(path, ORIGIN).key


@pytest.mark.parametrize("made", [False, True])
def test_a_change_that_was_cut_short_is_done_again(path: Path, *, made: bool) -> None:
    """It stopped after the old key was kept, or while the new one was written."""
    old = load_log_keys(path, ORIGIN).key
    path.with_name(f"log-{old.key_id.hex()}.key").hardlink_to(path)
    if made:
        path.with_suffix(".new").write_text("PRIVATE+KEY+")
    keys = load_log_keys(path, ORIGIN)
    assert (keys.key, len(keys.signers)) == (old, 1)
    rotate_log_key(path, ORIGIN)
    keys = load_log_keys(path, ORIGIN)
    assert [signer.key for signer in keys.signers[1:]] == [old]
    assert keys.key != old


def test_a_key_of_another_log_beside_it_is_refused(path: Path) -> None:
    other = NoteKey.create(path.with_name("log-00000000.key"), "in.accord.internal/audit")
    with pytest.raises(ValueError, match="the key of in"):
        load_log_keys(path, ORIGIN)
    path.with_name("log-00000000.key").unlink()
    path.with_name("log-00000000.vkey").write_text(f"{other.key}\n")
    with pytest.raises(ValueError, match="the key of in"):
        load_log_keys(path, ORIGIN)
    path.with_name("log-00000000.vkey").write_text("nonsense")
    with pytest.raises(ValueError, match="no vkey"):
        load_log_keys(path, ORIGIN)


def test_more_than_one_older_key_that_signs_is_refused(path: Path) -> None:
    for name in ("log-00000000.key", "log-00000001.key"):
        NoteKey.create(path.with_name(name), ORIGIN)
    with pytest.raises(ValueError, match="retire them"):
        load_log_keys(path, ORIGIN)


def test_a_retired_key_counts_for_what_it_signed_in_its_time_alone(path: Path) -> None:
    """Else whoever has stolen it could go on with the log."""
    stolen = load_log_keys(path, ORIGIN)
    old, forged = (Checkpoint.sign(stolen, size, bytes(32)) for size in (7, 8))
    rotate_log_key(path, ORIGIN)
    retire_log_keys(path, ORIGIN)
    keys = load_log_keys(path, ORIGIN)
    assert Checkpoint.read(old.note, keys) == old
    with pytest.raises(MalformedNoteError, match="retired key alone"):
        Checkpoint.read(old.note, keys, newest=True)
    retire_log_keys(path, ORIGIN, 7)
    keys = load_log_keys(path, ORIGIN)
    assert Checkpoint.read(old.note, keys, newest=True) == old
    for newest in (False, True):
        with pytest.raises(MalformedNoteError, match="retired key alone"):
            Checkpoint.read(forged.note, keys, newest=newest)
    retire_log_keys(path, ORIGIN, 100)  # what is put down stays
    assert load_log_keys(path, ORIGIN).ended == keys.ended
    ours = Checkpoint.sign(keys, 9, bytes(32))
    assert Checkpoint.read(ours.note, keys, newest=True) == ours
