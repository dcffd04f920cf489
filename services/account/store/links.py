"""Links at rest: identity in clear as the key, tokens and imported values sealed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from runtime.db import insert_missing
from runtime.seal import Sealer
from services.account.domain import faults
from services.account.domain.link import Link
from services.account.domain.profile import Field, Identity, Import, Value
from services.account.store.tables import imports, links
from services.account.store.vault import encode_tokens

_TOKENS = "provider_tokens"
_IMPORT = "import"


class SqlLinks:
    """`domain.ports.Links` over one transaction."""

    def __init__(self, tx: Connection, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    def add(self, link: Link, identity: Identity, values: Sequence[Value], now: datetime) -> None:
        """Add a link; the unique (issuer, subject) decides between two that come at once."""
        row: dict[str, object] = {
            "link_id": link.link_id,
            "account": link.account,
            "provider": link.provider,
            "issuer": link.issuer,
            "subject": link.subject,
            "linked": link.linked,
            "tokens": self._sealed_tokens(link, identity),
        }
        if not insert_missing(self._tx, links, [row]):
            raise faults.identity_taken(link.provider)
        self._import(link, values, now)

    def renew(self, link: Link, identity: Identity, values: Sequence[Value], now: datetime) -> None:
        """Replace the tokens, and the imports of the fields that `values` names."""
        self._tx.execute(
            update(links)
            .where(links.c.link_id == link.link_id)
            .values(tokens=self._sealed_tokens(link, identity))
        )
        self._import(link, values, now)

    def find(self, issuer: str, subject: str) -> Link | None:
        """Return the link of an identity."""
        row = self._tx.execute(
            select(links).where(links.c.issuer == issuer, links.c.subject == subject)
        ).one_or_none()
        return None if row is None else _link(row, ())

    def of(self, account: str, fields: Collection[Field] = tuple(Field)) -> Sequence[Link]:
        """Return an account's links with what they imported of `fields`, oldest first."""
        rows = self._tx.execute(
            select(links)
            .where(links.c.account == account)
            .order_by(links.c.linked, links.c.link_id)
        ).all()
        found: dict[str, list[Import]] = {row.link_id: [] for row in rows}
        providers = {row.link_id: row.provider for row in rows}
        statement = (
            select(imports)
            .where(imports.c.link_id.in_(found), imports.c.field.in_([f.value for f in fields]))
            .order_by(imports.c.field)
        )
        for row in self._tx.execute(statement):
            text = self._sealer.open(row.value, _IMPORT, f"{row.link_id}/{row.field}")
            value = Value(Field(row.field), text, bool(row.verified))
            found[row.link_id].append(Import(value, providers[row.link_id], row.time))
        return [_link(row, tuple(found[row.link_id])) for row in rows]

    def remove(self, link: Link) -> None:
        """Remove a link, its tokens and its imports."""
        self._tx.execute(delete(imports).where(imports.c.link_id == link.link_id))
        self._tx.execute(delete(links).where(links.c.link_id == link.link_id))

    def _sealed_tokens(self, link: Link, identity: Identity) -> bytes:
        place = f"{link.link_id}/{identity.issuer}/{identity.subject}"
        return self._sealer.seal(encode_tokens(identity.tokens), _TOKENS, place)

    def _import(self, link: Link, values: Sequence[Value], now: datetime) -> None:
        for value in values:
            field = value.field.value
            self._tx.execute(
                delete(imports).where(imports.c.link_id == link.link_id, imports.c.field == field)
            )
            sealed = self._sealer.seal(value.text, _IMPORT, f"{link.link_id}/{field}")
            self._tx.execute(
                imports.insert().values(
                    link_id=link.link_id,
                    field=field,
                    value=sealed,
                    verified=int(value.verified),
                    time=now,
                )
            )


def _link(row: Row[Any], imported: tuple[Import, ...]) -> Link:
    return Link(
        row.account, row.link_id, row.provider, row.issuer, row.subject, row.linked, imported
    )
