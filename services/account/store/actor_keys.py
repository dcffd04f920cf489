"""The keys that sign actor tokens: sealed at rest, replaced monthly, shown by their public half."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Connection, delete, select

from runtime.actor import mint
from runtime.call import Actor
from runtime.clock import Clock
from runtime.db import Database
from runtime.event import Event
from runtime.ids import opaque_id
from runtime.outbox import publish
from services.account.store.seal import Sealer
from services.account.store.tables import actor_keys, outbox

_SIGNS = timedelta(days=30)
_SHOWN = _SIGNS + timedelta(days=1)  # far longer than the last token of a key lives
_PURPOSE = "actor_key"


@dataclass(slots=True)
class ActorKeys:
    """`domain.ports.Signer`: makes a key when there is none young enough, at start or in use.

    A verifier that meets a new key id asks for the keys again, so a new key serves at once.
    """

    db: Database
    sealer: Sealer
    clock: Clock
    region: str
    _key: ECKey | None = None
    _retires: datetime | None = None

    async def check(self) -> None:
        """Raise UnsealError when the sealing key is not that of this database."""
        rows = await self.db.read(lambda tx: tx.execute(select(actor_keys)).all())
        for row in rows:
            self.sealer.open(row.private_key, _PURPOSE, row.kid)

    async def sign(
        self, account: str, roles: frozenset[str], audiences: Sequence[str], auth_time: datetime
    ) -> str:
        """Return a token, good for a minute."""
        now = self.clock.now()
        key = await self._current(now)
        actor = Actor(account, roles, auth_time)
        return mint(key, region=self.region, actor=actor, audiences=audiences, now=now)

    async def jwks(self) -> str:
        """Return the public keys as a JSON Web Key Set (RFC 7517 §5)."""
        now = self.clock.now()
        await self._current(now)
        rows = await self.db.read(
            lambda tx: (
                tx.execute(
                    select(actor_keys.c.public_key)
                    .where(actor_keys.c.created > now - _SHOWN)
                    .order_by(actor_keys.c.created)
                )
                .scalars()
                .all()
            )
        )
        return json.dumps({"keys": [json.loads(row) for row in rows]})

    async def key_set(self) -> KeySet:
        """Return the public keys for account's own server."""
        return KeySet.import_key_set(json.loads(await self.jwks()))

    async def _current(self, now: datetime) -> ECKey:
        if self._key is None or self._retires is None or now >= self._retires:
            private, created = await self.db.write(lambda tx: self._newest(tx, now))
            self._key, self._retires = ECKey.import_key(json.loads(private)), created + _SIGNS
        return self._key

    def _newest(self, tx: Connection, now: datetime) -> tuple[str, datetime]:
        row = tx.execute(
            select(actor_keys)
            .where(actor_keys.c.created > now - _SIGNS, actor_keys.c.created <= now)
            .order_by(actor_keys.c.created.desc())
            .limit(1)
        ).one_or_none()
        if row is not None:
            return self.sealer.open(row.private_key, _PURPOSE, row.kid), row.created
        kid = opaque_id()
        key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
        private = json.dumps(key.as_dict(private=True))
        tx.execute(delete(actor_keys).where(actor_keys.c.created <= now - 2 * _SHOWN))
        tx.execute(
            actor_keys.insert().values(
                kid=kid,
                private_key=self.sealer.seal(private, _PURPOSE, kid),
                public_key=json.dumps(key.as_dict(private=False)),
                created=now,
            )
        )
        publish(tx, outbox, Event("account:key:create", "ok", now, resource=f"actorKeys/{kid}"))
        return private, now
