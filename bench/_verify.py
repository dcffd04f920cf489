"""Measures the check of a whole log offline: `verify_million_s`.

It is the check of `accord audit fsck DIRECTORY`, of 2^20 entries that were filled in as
`bench/_fill.py` says. Nothing is extrapolated: of a smaller log the figure is called `verify_s`.
Every file of the published log is read, every entry hashed and parsed, every producer followed,
every tile recomputed and every checkpoint verified. Openings are not part of it: they are not in
the log.

And the check of `accord audit verify FILE` of a bundle, which holds them: `verify_bundle_per_s`,
entries a second. It is made here, of 2^15 entries that stand one behind the other in a log of as
many, with fields as decisions have them and all of their openings; the time that processes need to
start is in it, so that of a larger bundle there are more a second.

    python -m bench._verify --entries 1048576      # of a log made here, without a service
"""

import argparse
import base64
import hashlib
import itertools
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from accord.audit.v1 import entry_pb2
from accord.audit.v1.log_entry_pb2 import LogEntry
from accord_client.bundle import BundleWriter, Head
from accord_client.bundle_check import check_bundle
from accord_client.fsck.tiles import Directory, check_tiles
from accord_client.merkle import leaf_hash, node_hash
from accord_client.note import Algorithm, VerifierKey
from accord_client.trust import Trust
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench._load import report
from services.audit.domain.layout import lay_out
from services.audit.domain.tiles import Edge

MILLION = 1 << 20
_ORIGIN = "nl.accord.internal/audit"
_FIELDS = 15  # of a decision: 13 fields, its account and its resource
_SEALED = 1_000  # bytes, of that many openings
_STRETCH = 1 << 14
_BUNDLE_LEVELS = 15
_VALUE = "contact.name contact.phone"


def verify(directory: Path, keys: tuple[VerifierKey, ...], store: str) -> None:
    """Check a published log, and report how long all of it takes."""
    began = time.perf_counter()
    found = check_tiles(Directory(directory), Trust(keys))
    spent = time.perf_counter() - began
    if not found.whole or not found.entries:
        raise SystemExit(f"the log is not whole: {found.findings[:3]}")
    report("verify_million_s" if found.entries >= MILLION else "verify_s", spent, "s", store)


def verify_bundle(store: str) -> None:
    """Make a bundle, check it, and report how many entries a second that is."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "entries.bundle"
        key = _make_bundle(file)
        began = time.perf_counter()
        entries = check_bundle(file, Trust((key,))).contents.entries
        spent = time.perf_counter() - began
    report("verify_bundle_per_s", entries / spent, "1/s", store)


def make(directory: Path, entries: int) -> VerifierKey:
    """Publish a log of entries as decisions make them, with a checkpoint for each stretch."""
    private, key = _new_key()
    base, notes = Edge(), []
    leaves = map(_leaf, itertools.count(1))
    for size in range(_STRETCH, entries + _STRETCH, _STRETCH):
        end = min(size, entries)
        layout = lay_out(base, [next(leaves) for _ in range(end - base.size)])
        last = layout.partial if end == entries else {}
        for path, content in (layout.full | last).items():
            file = directory / str(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        notes.append(_note(end, layout.root, private, key))
        base = layout.base
    (directory / "checkpoint").write_text(notes[-1])
    (directory / "checkpoints.jsonl").write_text("".join(json.dumps(n) + "\n" for n in notes))
    return key


def _make_bundle(file: Path) -> VerifierKey:
    private, key = _new_key()
    openings = [
        entry_pb2.Opening(position=at, name=f"field_{at}", salt=os.urandom(32), value=_VALUE[at:])
        for at in range(_FIELDS)
    ]
    committed = [
        hashlib.sha256(o.salt + len(o.name).to_bytes(2) + f"{o.name}{o.value}".encode()).digest()
        for o in openings
    ]
    leaves = [_leaf(number, committed) for number in range(1, (1 << _BUNDLE_LEVELS) + 1)]
    tree = [[*map(leaf_hash, leaves)]]
    while len(row := tree[-1]) > 1:
        tree.append([node_hash(*pair) for pair in zip(row[::2], row[1::2], strict=True)])
    with file.open("wb") as stream:
        writer = BundleWriter(stream, Head(_note(len(leaves), tree[-1][0], private, key), {}))
        for index, leaf in enumerate(leaves):
            path = [tree[level][index >> level ^ 1] for level in range(_BUNDLE_LEVELS)]
            writer.add(entry_pb2.Entry(index=index, leaf=leaf), openings, path)
        writer.end()
    return key


def _new_key() -> tuple[Ed25519PrivateKey, VerifierKey]:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return private, VerifierKey(_ORIGIN, Algorithm.ED25519, public)


def _note(size: int, root: bytes, private: Ed25519PrivateKey, key: VerifierKey) -> str:
    text = f"{_ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = base64.b64encode(key.key_id + private.sign(text.encode())).decode()
    return f"{text}\n— {_ORIGIN} {signature}\n"


def _leaf(number: int, committed: Sequence[bytes] = ()) -> bytes:
    entry = LogEntry(
        format=1,
        producer="sharing",
        sequence=number,
        event_id=number.to_bytes(16),
        event=2000,  # type: ignore[arg-type]  # of EventName
        outcome="permit",
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        account_pseudonym=bytes(16),
        actor="spiffe://nl.accord.internal/app/mi-store",
        app="app/mi-store",
        own_sections=1,
    )
    entry.event_time.FromMicroseconds(1_750_000_000_000_000 + number)
    random = os.urandom(_FIELDS * 32 + _SEALED)
    section = entry.sections.add(pseudonym=bytes(16), sealed=random[_FIELDS * 32 :])
    section.commitments.extend(
        committed or (random[at * 32 : at * 32 + 32] for at in range(_FIELDS))
    )
    return entry.SerializeToString(deterministic=True)


def main() -> None:
    """Make a log and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench._verify", description=__doc__)
    parser.add_argument("--entries", type=int, default=MILLION)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        key = make(Path(directory), chosen.entries)
        verify(Path(directory), (key,), "files")
    verify_bundle("files")


if __name__ == "__main__":
    main()
