"""The key-encryption keys that are in use, and the parties' keys that they unwrapped.

A ring belongs to one generation of the key database. The database itself counts the generations: a
row of keys that is deleted or wrapped anew, and a key-encryption key that comes or goes, begins the
next one, whoever did it. A ring of another generation is thrown away with all that it unwrapped,
by every process, at its next use of any key.
"""

import hmac
import os
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, LargeBinary, Row, func, or_, select

from runtime import logs
from runtime.db import insert_missing
from services.audit.domain.faults import LogDamagedError, log_unavailable
from services.audit.store.key_encryption import (
    KEY_SIZE,
    MONTH_SIZE,
    NONCE_SIZE,
    KeyEncryptionKey,
    load_keys,
)
from services.audit.store.tables import keks, key_generation, outbox, party_keys

log = logs.get(__name__)

T = TypeVar("T")
# The month under which an event that waits is encrypted, which stands before it.
waits_under = func.substr(outbox.c.event, 1, MONTH_SIZE, type_=LargeBinary)
KeyRow = Row[tuple[bytes, bytes, str, bytes]]

_PAGE = 500  # values in one query: well below what either engine binds
_KEPT = 100_000  # parties whose unwrapped keys are kept: about 80 MB
_TAGS_KEPT = 4096
_PSEUDONYM_SIZE = 16
_PSEUDONYM_CONTEXT = b"accord-audit-pseudonym\0"


class StoredPartyKeys:
    """One party's two keys, unwrapped."""

    __slots__ = ("_cipher", "_naming_key", "_tags", "party", "pseudonym")

    def __init__(self, keys: bytes, pseudonym: bytes) -> None:
        self._cipher = AESGCM(keys[:KEY_SIZE])
        self._naming_key = keys[KEY_SIZE : 2 * KEY_SIZE]
        self._tags: dict[bytes, bytes] | None = None  # hardly any party is asked for one
        self.party = keys[2 * KEY_SIZE :].decode()
        self.pseudonym = pseudonym

    def tag(self, text: bytes) -> bytes:
        """Return HMAC-SHA256 under the pseudonym key, cut to 16 bytes; few texts, each often."""
        tags = self._tags
        if tags is None or len(tags) >= _TAGS_KEPT:
            tags = self._tags = {}
        known = tags.get(text)
        if known is None:
            known = tags[text] = hmac.digest(self._naming_key, text, "sha256")[:_PSEUDONYM_SIZE]
        return known

    def encrypt(self, plain: bytes, associated: bytes, nonce: bytes | None = None) -> bytes:
        """Encrypt; random nonces keep collisions below 2^-32 for 2^32 sections a party."""
        nonce = nonce or os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, plain, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plain text; ValueError when anything was touched."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], associated)
        except InvalidTag:
            raise ValueError("sealed data or its context were touched") from None


class KeyRing:
    """One generation's key-encryption keys, and what they unwrapped so far."""

    def __init__(self, generation: int, found: Sequence[KeyEncryptionKey]) -> None:
        self.generation = generation
        self.keks = {kek.month: kek for kek in found}
        self.newest = found[0]
        self._by_party = _Kept[str]()
        self._by_pseudonym = _Kept[bytes]()

    def held(self, parties: Iterable[str]) -> dict[str, StoredPartyKeys]:
        """Return the keys that are unwrapped already."""
        return self._by_party.of(parties)

    def behind(self, pseudonyms: Iterable[bytes]) -> dict[bytes, StoredPartyKeys]:
        """Return the keys that are unwrapped already."""
        return self._by_pseudonym.of(pseudonyms)

    def rows_of(self, tx: Connection, parties: Collection[str]) -> list[KeyRow]:
        """Read the rows of parties, under whichever month each was wrapped last."""
        lookups = [kek.lookup(party) for party in parties for kek in self.keks.values()]
        return _rows(tx, "lookup", lookups)

    def rows_behind(self, tx: Connection, pseudonyms: Sequence[bytes]) -> list[KeyRow]:
        """Read the rows behind pseudonyms; without its key-encryption key a row is no one's."""
        return [row for row in _rows(tx, "pseudonym", pseudonyms) if row.kek in self.keks]

    def unwrapped(self, rows: Iterable[KeyRow]) -> list[StoredPartyKeys]:
        """Unwrap rows, and keep what was in them."""
        return [self._unwrapped(row) for row in rows]

    def unwrap(self, row: KeyRow) -> StoredPartyKeys:
        """Unwrap a row; LogDamagedError when it was touched."""
        return StoredPartyKeys(self._content(row), row.pseudonym)

    def new_row(self, party: str) -> dict[str, object]:
        """Make a party's keys and wrap them."""
        data_key, naming_key = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
        named = hmac.digest(naming_key, _PSEUDONYM_CONTEXT + party.encode(), "sha256")
        # The name goes in too, so that the row can be wrapped anew under another month's key.
        return self._row(data_key + naming_key + party.encode(), named[:_PSEUDONYM_SIZE])

    def wrapped_anew(self, row: KeyRow) -> dict[str, object]:
        """Wrap a row's content under the newest key."""
        return self._row(self._content(row), row.pseudonym)

    def unseal(self, event: bytes) -> bytes:
        """Open an event that waits; LogDamagedError when it was touched, else UNAVAILABLE."""
        month = event[:MONTH_SIZE].decode()
        if month not in self.keks:
            log.error("a key-encryption key is missing here", month=month)
            raise log_unavailable()
        try:
            return self.keks[month].unseal(event)
        except ValueError as error:
            raise LogDamagedError(str(error)) from error

    def _content(self, row: KeyRow) -> bytes:
        try:
            return self.keks[row.kek].unwrap(row.wrapped, row.pseudonym)
        except ValueError as error:
            pseudonym = row.pseudonym.hex()
            raise LogDamagedError(f"the keys of pseudonym {pseudonym}: {error}") from error

    def _row(self, keys: bytes, pseudonym: bytes) -> dict[str, object]:
        return {
            "lookup": self.newest.lookup(keys[2 * KEY_SIZE :].decode()),
            "pseudonym": pseudonym,
            "kek": self.newest.month,
            "wrapped": self.newest.wrap(keys, pseudonym),
        }

    def _unwrapped(self, row: KeyRow) -> StoredPartyKeys:
        kept = self._by_pseudonym.of((row.pseudonym,))
        keys = kept.get(row.pseudonym) or self.unwrap(row)
        self._by_party.keep(keys.party, keys)
        self._by_pseudonym.keep(row.pseudonym, keys)
        return keys


class KeyRings:
    """Hands out the ring of the generation that a transaction sees."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._newest: KeyRing | None = None

    def at(self, tx: Connection) -> KeyRing:
        """Return the ring to be used in a transaction.

        UNAVAILABLE when the directory holds no key, or one that is malformed.
        """
        generation = tx.execute(select(key_generation.c.number)).scalar_one()
        ring = self._newest
        if ring is None or ring.generation != generation:
            out_of_use = or_(keks.c.retired.is_not(None), keks.c.destroyed.is_not(None))
            gone = tx.execute(select(keks.c.month).where(out_of_use))
            ring = self._newest = KeyRing(generation, self._load(set(gone.scalars())))
        return ring

    def at_newest(self, tx: Connection) -> KeyRing:
        """Return the ring with which something is wrapped: under the newest key that anyone has.

        Two processes that wrap under different months would each make keys for one party.
        UNAVAILABLE when this one lacks the newest.
        """
        ring = self.at(tx)
        newest = tx.execute(select(keks.c.month).order_by(keks.c.month.desc()).limit(1)).scalar()
        if newest is not None and newest > ring.newest.month:
            log.error("a key-encryption key is missing here", month=newest)
            raise log_unavailable()
        if newest != ring.newest.month:
            insert_missing(tx, keks, [{"month": ring.newest.month, "destroyed": None}])
        return ring

    def _load(self, gone: Collection[str]) -> Sequence[KeyEncryptionKey]:
        try:
            found = [kek for kek in load_keys(self._directory) if kek.month not in gone]
        except (OSError, ValueError) as error:
            log.exception("the key-encryption keys cannot be read")
            raise log_unavailable() from error
        if not found:
            log.error("every key-encryption key here is out of use")
            raise log_unavailable()
        return found


class _Kept(Generic[T]):
    """Unwrapped keys; of more than _KEPT the oldest are dropped."""

    def __init__(self) -> None:
        self._keys: dict[T, StoredPartyKeys] = {}
        self._keeping = threading.Lock()

    def of(self, names: Iterable[T]) -> dict[T, StoredPartyKeys]:
        return {name: keys for name in names if (keys := self._keys.get(name)) is not None}

    def keep(self, name: T, keys: StoredPartyKeys) -> None:
        with self._keeping:
            if name not in self._keys and len(self._keys) >= _KEPT:
                del self._keys[next(iter(self._keys))]
            self._keys[name] = keys


def by_party(found: Iterable[StoredPartyKeys]) -> Mapping[str, StoredPartyKeys]:
    """Return keys by whose they are."""
    return {keys.party: keys for keys in found}


def _rows(tx: Connection, column: str, values: Sequence[bytes]) -> list[KeyRow]:
    wanted = party_keys.c[column]
    return [
        row
        for at in range(0, len(values), _PAGE)
        for row in tx.execute(select(party_keys).where(wanted.in_(values[at : at + _PAGE])))
    ]
