"""Recipients in SQL."""

from sqlalchemy import Connection, Row, bindparam, or_, select

from runtime.db import insert_missing
from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Recipient
from services.sharing.store.changes import note
from services.sharing.store.paging import by_name
from services.sharing.store.tables import recipients

_GET = select(recipients).where(recipients.c.name == bindparam("name"))


class StoredRecipients:
    """Organisations on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, name: str) -> Recipient | None:
        """Return a recipient."""
        row = self._tx.execute(_GET, {"name": name}).one_or_none()
        return None if row is None else _recipient(row)

    def add(self, recipient: Recipient) -> bool:
        """Store a recipient; False when the name is taken."""
        row: dict[str, object] = {
            "name": recipient.name,
            "display_name": recipient.display_name,
            "kind": recipient.kind,
            "jurisdiction": recipient.jurisdiction,
            "created": recipient.created,
        }
        if insert_missing(self._tx, recipients, [row]) == 0:
            return False
        note(self._tx, ChangeKind.RECIPIENT, recipient.name)
        return True

    def list(self, page: Page, kind: str) -> tuple[list[Recipient], str]:
        """List by name those of a kind or kind prefix; return the cursor of what follows."""
        query = select(recipients)
        if kind:
            below = recipients.c.kind.startswith(f"{kind}.", autoescape=True)
            query = query.where(or_(recipients.c.kind == kind, below))
        return by_name(self._tx, query, page, recipients.c.name, _recipient)


def _recipient(row: Row[tuple[object, ...]]) -> Recipient:
    return Recipient(
        name=row.name,
        display_name=row.display_name,
        kind=row.kind,
        jurisdiction=row.jurisdiction,
        created=row.created,
    )
