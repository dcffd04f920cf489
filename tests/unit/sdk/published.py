"""A published log made by hand from c2sp.org/tlog-tiles, apart from the log's own writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from accord_client.entry import parse_entry
from accord_client.merkle import leaf_hash, root_of

from tests.unit.sdk.evidence import Signer, checkpoint_text, entry


def leaves(count: int) -> list[bytes]:
    """The entries of two producers, of different lengths."""
    made = []
    for number in range(count):
        message = parse_entry(entry(number // 2 + 1, {"n": "x" * (number % 9)}))
        message.producer = "account" if number % 2 else "sharing"
        message.event_id = number.to_bytes(16)
        message.event_time.FromSeconds(1_750_000_000 + number)
        made.append(message.SerializeToString(deterministic=True))
    return made


def place(directory: Path, path: str, content: bytes) -> None:
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def number_path(number: int) -> str:
    digits = f"{number:0{-(-len(str(number)) // 3) * 3}}"
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def publish(
    directory: Path,
    entries: Sequence[bytes],
    sizes: Iterable[int],
    signer: Signer,
    cosign: Callable[[str], str] = lambda _: "",
) -> None:
    """Writes a log of all ``entries``, with a history of checkpoints of ``sizes`` before it."""
    row = [leaf_hash(leaf) for leaf in entries]
    hashes, level = row, 0
    while row:
        for start in range(0, len(row), 256):
            part = row[start : start + 256]
            suffix = number_path(start // 256) + (f".p/{len(part)}" if len(part) < 256 else "")
            place(directory, f"tile/{level}/{suffix}", b"".join(part))
            if level == 0:
                bundle = (len(e).to_bytes(2) + e for e in entries[start : start + 256])
                place(directory, f"tile/entries/{suffix}", b"".join(bundle))
        row = [root_of(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
        level += 1
    notes = []
    for size in [*sizes, len(entries)]:
        text = checkpoint_text(size, root_of(hashes[:size]))
        notes.append(f"{text}\n{signer.line(text)}{cosign(text)}")
    place(directory, "checkpoint", notes[-1].encode())
    place(directory, "checkpoints.jsonl", "".join(json.dumps(n) + "\n" for n in notes).encode())
