"""A reader of logs, written from the specifications alone; it imports nothing of ours.

c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-tiles and RFC 6962 §2.1.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True)
class Head:
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes


def mth(leaves: list[bytes]) -> bytes:
    """MTH over hashes of leaves, by the recursive definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


def opened(note: str, vkey: str) -> Head:
    """Verifies a note with an Ed25519 verifier key and reads it as a checkpoint."""
    name, key_id, encoded = vkey.strip().split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    named = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    assert named.hex() == key_id
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    found = 0
    for line in lines.splitlines():
        dash, signer, signature = line.split(" ")
        assert dash == "—"
        decoded = base64.b64decode(signature)
        if (signer, decoded[:4]) == (name, named):
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(decoded[4:], text.encode())
            found += 1
    assert found, "not signed by this key"
    origin, size, root = text.splitlines()[:3]
    assert size == str(int(size))
    return Head(origin, int(size), base64.b64decode(root))


def place(level: str, number: int, width: int = 256) -> str:
    """The path of a tile or bundle."""
    digits = f"{number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *high, low = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    groups = "".join(f"x{group}/" for group in high) + low
    return f"tile/{level}/{groups}" + (f".p/{width}" if width < 256 else "")


def entries_of(bundle: bytes) -> list[bytes]:
    """The entries of a bundle, which must end with its last one."""
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        assert len(bundle) >= 2 + length
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


async def walk(fetch: Fetch, vkey: str) -> tuple[Head, list[bytes]]:
    """Reads a whole log and checks every byte of it; returns its head and its entries."""
    head = opened((await fetch("checkpoint")).decode(), vkey)
    entries: list[bytes] = []
    for number in range(-(-head.size // 256)):
        width = min(256, head.size - 256 * number)
        bundle = entries_of(await fetch(place("entries", number, width)))
        assert len(bundle) == width
        entries += bundle
    row = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    assert mth(row) == head.root
    level = 0
    while row:
        assert len(row) == head.size // 256**level
        for number in range(-(-len(row) // 256)):
            expected = row[256 * number : 256 * (number + 1)]
            tile = await fetch(place(str(level), number, len(expected)))
            assert tile == b"".join(expected)
        full = len(row) // 256
        row = [mth(row[256 * number : 256 * (number + 1)]) for number in range(full)]
        level += 1
    return head, entries
