"""Measures the check of a whole log offline: `verify_million_s`.

It is the check of `accord audit fsck DIRECTORY`, of 2^20 entries that were filled in as
`bench/_fill.py` says. Nothing is extrapolated: of a smaller log the figure is called `verify_s`.
Every file of the published log is read, every entry hashed and parsed, every producer followed,
every tile recomputed and every checkpoint verified. Openings are not part of it: they are not in
the log. Bundles, which hold them, are checked by `accord audit verify`, which is not measured here.

    python -m bench._verify --entries 1048576      # of a log made here, without a service
"""

import argparse
import base64
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from accord.audit.v1.log_entry_pb2 import LogEntry
from accord_client.fsck.tiles import Directory, check_tiles
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


def verify(directory: Path, keys: tuple[VerifierKey, ...], store: str) -> None:
    """Check a published log, and report how long all of it takes."""
    began = time.perf_counter()
    found = check_tiles(Directory(directory), Trust(keys))
    spent = time.perf_counter() - began
    if not found.whole or not found.entries:
        raise SystemExit(f"the log is not whole: {found.findings[:3]}")
    report("verify_million_s" if found.entries >= MILLION else "verify_s", spent, "s", store)


def make(directory: Path, entries: int) -> VerifierKey:
    """Publish a log of entries as decisions make them, with a checkpoint for each stretch."""
    private = Ed25519PrivateKey.generate()
    key = VerifierKey(_ORIGIN, Algorithm.ED25519, private.public_key().public_bytes_raw())
    base, notes = Edge(), []
    leaves = _leaves()
    for size in range(_STRETCH, entries + _STRETCH, _STRETCH):
        end = min(size, entries)
        layout = lay_out(base, [next(leaves) for _ in range(end - base.size)])
        last = layout.partial if end == entries else {}
        for path, content in (layout.full | last).items():
            file = directory / str(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        text = f"{_ORIGIN}\n{end}\n{base64.b64encode(layout.root).decode()}\n"
        signature = base64.b64encode(key.key_id + private.sign(text.encode())).decode()
        notes.append(f"{text}\n— {_ORIGIN} {signature}\n")
        base = layout.base
    (directory / "checkpoint").write_text(notes[-1])
    (directory / "checkpoints.jsonl").write_text("".join(json.dumps(n) + "\n" for n in notes))
    return key


def _leaves() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
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
        section.commitments.extend(random[at * 32 : at * 32 + 32] for at in range(_FIELDS))
        yield entry.SerializeToString(deterministic=True)


def main() -> None:
    """Make a log and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench._verify", description=__doc__)
    parser.add_argument("--entries", type=int, default=MILLION)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        key = make(Path(directory), chosen.entries)
        verify(Path(directory), (key,), "files")


if __name__ == "__main__":
    main()
