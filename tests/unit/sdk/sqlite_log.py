"""A log of one region as the service keeps it in SQLite, made without the service."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from importlib.resources import files
from typing import TYPE_CHECKING

from accord_client.entry import Facet, parse_entry, postings_of
from accord_client.fsck.beside import VERSION
from accord_client.merkle import leaf_hash, root_of
from accord_client.note import Algorithm
from accord_client.policy import Policy
from accord_client.trust import Trust

from tests.unit.sdk.evidence import ORIGIN, WITNESS, Signer, checkpoint_text, entry

if TYPE_CHECKING:
    from pathlib import Path

LOG, OTHER = Signer(ORIGIN), Signer("in.accord.internal/audit")
SIZE = 600
ANNA = Signer(WITNESS, Algorithm.COSIGNATURE)
TRUST = Trust((LOG.key,), Policy.parse(f"witness anna {ANNA.key}\nquorum anna\n".encode()))
SCHEMA = files("accord_client.fsck").joinpath("schema.sql").read_text()
SIGNED = 1_750_000_000_000_000


def places(*indexes: int) -> bytes:
    """The places of a row of the index, in the first segment."""
    return struct.pack(f">{len(indexes)}H", *indexes)


def make(file: Path) -> None:
    """Makes a log of SIZE entries, with what stands beside it."""
    leaves = []
    for number in range(1, SIZE + 1):
        message = parse_entry(entry(number))
        message.event_id = number.to_bytes(16)
        message.event_time.FromSeconds(1_750_000_000 + number)
        leaves.append(message.SerializeToString(deterministic=True))
    hashes = [leaf_hash(leaf) for leaf in leaves]
    under: dict[tuple[int, Facet, bytes], list[int]] = {}
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
        for index, leaf in enumerate(leaves):
            message = parse_entry(leaf)
            row = (
                index,
                message.event_time.ToMicroseconds(),
                message.producer,
                message.sequence,
                message.event_id,
                hashes[index],
                leaf,
            )
            connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            for facet, key in postings_of(message):
                under.setdefault((index // 256, facet, key), []).append(index)
        for (_, facet, key), found in under.items():
            posted = (0, facet, key, places(*found))
            connection.execute("INSERT INTO postings VALUES (?, ?, ?, ?)", posted)
        for number in range(SIZE // 256):
            tile = hashes[number * 256 : (number + 1) * 256]
            row_ = (0, number, b"".join(tile), root_of(tile))
            connection.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", row_)
        for size in (0, 1, 100, 256, 300, 555, SIZE):
            text = checkpoint_text(size, root_of(hashes[:size]))
            note, moment = f"{text}\n{LOG.line(text)}", SIGNED + size
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (size, note, moment))
            if size in (100, SIZE):
                note += ANNA.line(text, at=moment // 10**6)
                connection.execute("INSERT INTO published VALUES (?, ?, ?)", (size, note, moment))
        for size, follows in ((7, -1), (9, 7)):
            text = checkpoint_text(size, bytes(32), OTHER.name)
            note = f"{text}\n{OTHER.line(text)}{ANNA.line(text, at=SIGNED // 10**6)}"
            row__ = (OTHER.name, size, follows, bytes(32), note, SIGNED + size)
            connection.execute("INSERT INTO witnessed VALUES (?, ?, ?, ?, ?, ?)", row__)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (VERSION,))
