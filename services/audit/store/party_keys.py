"""Parties' keys in a database of their own, wrapped, with backups shorter than the log's.

A party's row is all that ties a name to its pseudonym and opens its sections. Delete the row, and
once no backup of it can be unwrapped any more nothing of the party can be read in the log.
"""

import hmac
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, Row, select

from runtime.db import Database, insert_missing
from services.audit.domain.faults import LogDamagedError
from services.audit.store.key_encryption import KEY_SIZE, NONCE_SIZE, KeyEncryptionKey
from services.audit.store.tables import party_keys

_PSEUDONYM_SIZE = 16
_PSEUDONYM_CONTEXT = b"accord-audit-pseudonym\0"
_PAGE = 500  # names in one query: well below what either engine binds
_KEPT = 20_000  # parties whose unwrapped keys are kept: about 20 MB


class StoredPartyKeys:
    """One party's two keys, unwrapped."""

    def __init__(self, data_key: bytes, pseudonym: bytes) -> None:
        self._cipher = AESGCM(data_key)
        self.pseudonym = pseudonym

    def encrypt(self, plain: bytes, associated: bytes) -> bytes:
        """Encrypt with a random nonce: 2^32 sections a party keep collisions below 2^-32."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, plain, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plain text; ValueError when anything was touched."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], associated)
        except InvalidTag:
            raise ValueError("sealed data or its context were touched") from None


class StoredKeys:
    """The key database. Each use reads whether the row is still there: a deleted key is gone.

    What is kept in memory spares the unwrapping, and nothing else: a key is used only together with
    the very row that it was unwrapped from, and those unused the longest are dropped.
    """

    def __init__(self, database: Database, keks: Sequence[KeyEncryptionKey]) -> None:
        self._database = database
        self._keks = {kek.month: kek for kek in keks}
        self._newest = keks[0]
        self._lookups = lru_cache(_KEPT)(self._lookups_of)
        self._unwrapped = lru_cache(_KEPT)(self._unwrap)

    async def ensure(self, parties: Collection[str]) -> Mapping[str, StoredPartyKeys]:
        """Return the keys of all parties, making those that are missing."""
        found = await self.find(parties)
        missing = [party for party in parties if party not in found]
        if not missing:
            return found
        rows = [self._new_row(party) for party in missing]
        await self._database.write(lambda tx: insert_missing(tx, party_keys, rows))
        # Read what is there now: another writer may have been first.
        return {**found, **await self.find(missing)}

    async def find(self, parties: Collection[str]) -> Mapping[str, StoredPartyKeys]:
        """Return the keys of the parties that have some."""
        # A row is found under the month it was last wrapped in: every month that exists is asked.
        names = {lookup: party for party in parties for lookup in self._lookups(party)}
        rows = await self._rows(party_keys.c.lookup, list(names))
        return {names[row.lookup]: self._unwrapped(*row[1:]) for row in rows}

    async def of(self, pseudonyms: Collection[bytes]) -> Mapping[bytes, StoredPartyKeys]:
        """Return the keys that still exist behind pseudonyms."""
        rows = await self._rows(party_keys.c.pseudonym, list(pseudonyms))
        return {row.pseudonym: self._unwrapped(*row[1:]) for row in rows}

    async def months_without_kek(self) -> list[str]:
        """Return the months under which rows are wrapped although their key is not here."""
        months = select(party_keys.c.kek).distinct().order_by(party_keys.c.kek)
        used = await self._database.read(lambda tx: tx.execute(months).scalars().all())
        return [month for month in used if month not in self._keks]

    async def _rows(
        self, column: ColumnElement[bytes], values: Sequence[bytes]
    ) -> list[Row[tuple[bytes, bytes, str, bytes]]]:
        def query(tx: Connection) -> list[Row[tuple[bytes, bytes, str, bytes]]]:
            return [
                row
                for at in range(0, len(values), _PAGE)
                for row in tx.execute(select(party_keys).where(column.in_(values[at : at + _PAGE])))
            ]

        # Without the month's key the row is as good as deleted: it is waste, not an error.
        return [row for row in await self._database.read(query) if row.kek in self._keks]

    def _new_row(self, party: str) -> dict[str, object]:
        data_key, pseudonym_key = secrets.token_bytes(KEY_SIZE), secrets.token_bytes(KEY_SIZE)
        pseudonym = hmac.digest(pseudonym_key, _PSEUDONYM_CONTEXT + party.encode(), "sha256")
        pseudonym = pseudonym[:_PSEUDONYM_SIZE]
        # The name goes in too, so that the row can be wrapped anew under another month's key.
        wrapped = self._newest.wrap(data_key + pseudonym_key + party.encode(), pseudonym)
        return {
            "lookup": self._newest.lookup(party),
            "pseudonym": pseudonym,
            "kek": self._newest.month,
            "wrapped": wrapped,
        }

    def _lookups_of(self, party: str) -> tuple[bytes, ...]:
        return tuple(kek.lookup(party) for kek in self._keks.values())

    def _unwrap(self, pseudonym: bytes, month: str, wrapped: bytes) -> StoredPartyKeys:
        try:
            keys = self._keks[month].unwrap(wrapped, pseudonym)
        except ValueError as error:
            raise LogDamagedError(f"the keys of pseudonym {pseudonym.hex()}: {error}") from error
        return StoredPartyKeys(keys[:KEY_SIZE], pseudonym)
