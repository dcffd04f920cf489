"""The files of the log's keys: the one that signs, those before it, and how one follows another.

`log.key` is always the newest. While a change lasts, the one before it lies beside it as
`log-<key id>.key` and signs too, so that whoever has pinned it still can verify. Afterwards its
secret is destroyed and `log-<key id>.vkey` stays: what it signed keeps its proof, up to the size of
the log that `log-<key id>.size` says. Each step can be
repeated after a crash: at every moment at least one whole key is there.

Who steals a key can sign a second history; who loses all of them can no longer extend the log, and
begins another under a new origin.
"""

import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.checkpoint import read_size
from services.audit.domain.log_keys import LogKeys
from services.audit.domain.note import MalformedNoteError, VerifierKey
from services.audit.store.note_key import NoteKey, NoteVerifier, write_vkey

_MAX_SIGNERS = 2  # the newest, and during a change the one before it


def load_log_keys(path: Path, origin: str) -> LogKeys:
    """Read every key beside the newest, which is at `path`; ValueError when one cannot be used."""
    newest = NoteKey.load(path, origin)
    signers = {newest.key: newest}
    for file in _beside(path, "key"):
        key = NoteKey.load(file, origin)
        signers.setdefault(key.key, key)
    if len(signers) > _MAX_SIGNERS:
        raise ValueError(f"beside {path} more than one older key signs: retire them")
    known = dict.fromkeys(signers)
    ended: dict[VerifierKey, int | None] = {}
    for file in _beside(path, "vkey"):
        old = _read_vkey(file, origin)
        known.setdefault(old)
        if old not in signers:
            ended[old] = _read_size(file.with_suffix(".size"))
    verifiers = tuple(signers.get(key) or NoteVerifier(key) for key in known)
    return LogKeys(origin, verifiers, tuple(signers.values()), ended=ended)


def create_log_key(path: Path, origin: str) -> None:
    """Make the first key of a log, unless there is one; its vkey is as it must be afterwards."""
    if not path.exists():
        NoteKey.create(path, origin)
    write_vkey(path, NoteKey.load(path, origin).key)


def rotate_log_key(path: Path, origin: str) -> None:
    """Make a new key, with which the one of now goes on signing until it is retired.

    ValueError while the change before is not finished.
    """
    keys = load_log_keys(path, origin)
    if len(keys.signers) == _MAX_SIGNERS:
        raise ValueError(f"{keys.signers[1].key} still signs: retire it before the next change")
    kept = _older(path, keys.key)
    if not kept.exists():  # a change that was cut short has made it
        kept.hardlink_to(path)
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    new = NoteKey(origin, Ed25519PrivateKey.generate())
    new.write(made)
    made.replace(path)
    _sync(path.parent)
    write_vkey(path, new.key)


def retire_log_keys(path: Path, origin: str, size: int | None = None) -> list[VerifierKey]:
    """Destroy every older key; return which they were. They still verify what they have signed.

    `size` is how large the log was when each of those last signed of which that is not put down.
    """
    keys = load_log_keys(path, origin)
    retired = [signer.key for signer in keys.signers[1:]]
    for key in retired:
        write_vkey(_older(path, key), key)
    if size is not None:
        for key in [*retired, *(key for key, until in keys.ended.items() if until is None)]:
            _older(path, key).with_suffix(".size").write_text(f"{size}\n")
    _sync(path.parent)
    for file in _beside(path, "key"):
        file.unlink()
    _sync(path.parent)
    return retired


def _beside(path: Path, suffix: str) -> list[Path]:
    name = re.compile(rf"{re.escape(path.stem)}-[0-9a-f]{{8}}\.{suffix}")
    return sorted(file for file in path.parent.iterdir() if name.fullmatch(file.name))


def _older(path: Path, key: VerifierKey) -> Path:
    return path.with_name(f"{path.stem}-{key.key_id.hex()}{path.suffix}")


def _read_vkey(file: Path, origin: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(file.read_text().strip())
    except (UnicodeDecodeError, MalformedNoteError) as error:
        raise ValueError(f"{file} holds no vkey: {error}") from error
    if key.name != origin:
        raise ValueError(f"{file} holds the key of {key.name}, not of {origin}")
    return key


def _read_size(file: Path) -> int | None:
    if not file.exists():
        return None
    try:
        return read_size(file.read_text().strip())
    except (UnicodeDecodeError, MalformedNoteError) as error:
        raise ValueError(f"{file} holds no size of a log") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
