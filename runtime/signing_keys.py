"""Keys with which a service signs: sealed at rest, replaced monthly, shown by their public half.

A verifier that meets a new key id asks for the keys again, so a new key serves at once. A key is
shown a day longer than it signs, which is far longer than a token that it signed lives; then its
private half is destroyed. Public halves are kept for what is signed to be kept, such as receipts.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, select

from runtime.clock import Clock
from runtime.db import Database, Instant
from runtime.event import Event
from runtime.ids import opaque_id
from runtime.outbox import publish
from runtime.seal import Sealer

SIGNS = timedelta(days=30)
SHOWN = SIGNS + timedelta(days=1)
_DESTROYED = b""


def signing_keys_table(name: str, metadata: MetaData) -> Table:
    """Declare a table of signing keys in a service's metadata."""
    return Table(
        name,
        metadata,
        Column("kid", Text, primary_key=True),
        Column("private_key", LargeBinary, nullable=False),  # sealed; empty: destroyed
        Column("public_key", Text, nullable=False),  # JWK
        Column("created", Instant, nullable=False),
        sqlite_strict=True,
    )


@dataclass(slots=True)
class SigningKeys:
    """ES256 keys in a table; one is made when none is young enough, at start or in use.

    `action` names the audit event that says so, `<service>:key:create`.
    """

    db: Database
    table: Table
    outbox: Table
    sealer: Sealer
    clock: Clock
    action: str
    _key: ECKey | None = None
    _retires: datetime | None = None

    async def check(self) -> None:
        """Raise UnsealError when the sealing key is not that of this database."""
        kept = self.table.c.private_key != _DESTROYED
        rows = await self.db.read(lambda tx: tx.execute(select(self.table).where(kept)).all())
        for row in rows:
            self.sealer.open(row.private_key, self.table.name, row.kid)

    async def current(self) -> ECKey:
        """Return the key that signs now; it has a `kid`."""
        now = self.clock.now()
        if self._key is None or self._retires is None or now >= self._retires:
            private, created = await self.db.write(lambda tx: self._newest(tx, now))
            self._key, self._retires = ECKey.import_key(json.loads(private)), created + SIGNS
        return self._key

    async def jwks(self, *, past: bool = False) -> str:
        """Return the public keys as a JSON Web Key Set (RFC 7517 §5); `past`: all ever made."""
        await self.current()
        keys, since = self.table.c, self.clock.now() - SHOWN
        query = select(keys.public_key).order_by(keys.created)
        if not past:
            query = query.where(keys.created > since)
        rows = await self.db.read(lambda tx: tx.execute(query).scalars().all())
        return json.dumps({"keys": [json.loads(row) for row in rows]})

    async def key_set(self) -> KeySet:
        """Return the public keys for the service's own use."""
        return KeySet.import_key_set(json.loads(await self.jwks()))

    def _newest(self, tx: Connection, now: datetime) -> tuple[str, datetime]:
        keys = self.table.c
        usable = (keys.created > now - SIGNS, keys.created <= now, keys.private_key != _DESTROYED)
        newest = select(self.table).where(*usable).order_by(keys.created.desc()).limit(1)
        row = tx.execute(newest).one_or_none()
        if row is not None:
            return self.sealer.open(row.private_key, self.table.name, row.kid), row.created
        kid = opaque_id()
        key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
        private = json.dumps(key.as_dict(private=True))
        old = self.table.update().where(keys.created <= now - SHOWN)
        tx.execute(old.values(private_key=_DESTROYED))
        tx.execute(
            self.table.insert().values(
                kid=kid,
                private_key=self.sealer.seal(private, self.table.name, kid),
                public_key=json.dumps(key.as_dict(private=False)),
                created=now,
            )
        )
        publish(tx, self.outbox, Event(self.action, "ok", now, resource=f"keys/{kid}"))
        return private, now
