"""Recipients in SQL."""

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from runtime.db import insert_missing
from services.sharing.domain.endpoint import Endpoint
from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Recipient
from services.sharing.store.changes import note
from services.sharing.store.paging import by_name
from services.sharing.store.tables import recipient_endpoints, recipients

_ENDPOINT = select(recipient_endpoints).where(recipient_endpoints.c.recipient == bindparam("name"))
_GET = select(recipients).where(recipients.c.name == bindparam("name"))


class StoredRecipients:
    """Organisations on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, name: str) -> Recipient | None:
        """Return a recipient."""
        row = self._tx.execute(_GET, {"name": name}).one_or_none()
        return None if row is None else recipient_of(row)

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

    def endpoint(self, name: str) -> Endpoint:
        """Return where a recipient takes notices; without an address when none was ever set."""
        row = self._tx.execute(_ENDPOINT, {"name": name}).one_or_none()
        return Endpoint(name, row.url, row.setter, row.set_at) if row else Endpoint(name, "")

    def set_endpoint(self, endpoint: Endpoint) -> None:
        """Store where a recipient takes notices."""
        values = {"url": endpoint.url, "setter": endpoint.setter, "set_at": endpoint.set}
        row = recipient_endpoints.c.recipient == endpoint.recipient
        if self._tx.execute(update(recipient_endpoints).where(row).values(values)).rowcount == 0:
            added = insert(recipient_endpoints).values(recipient=endpoint.recipient, **values)
            self._tx.execute(added)

    def list(self, page: Page, kind: str) -> tuple[list[Recipient], str]:
        """List by name those of a kind or kind prefix; return the cursor of what follows."""
        query = select(recipients)
        if kind:
            below = recipients.c.kind.startswith(f"{kind}.", autoescape=True)
            query = query.where(or_(recipients.c.kind == kind, below))
        return by_name(self._tx, query, page, recipients.c.name, recipient_of)


def recipient_of(row: Row[tuple[object, ...]]) -> Recipient:
    """Read a recipient."""
    return Recipient(
        name=row.name,
        display_name=row.display_name,
        kind=row.kind,
        jurisdiction=row.jurisdiction,
        created=row.created,
    )
