"""Standing choices in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import intern

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Preference, PreferenceKind
from services.sharing.store.changes import note
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import preferences

_OF = (
    select(preferences)
    .where(
        preferences.c.account.in_(bindparam("accounts", expanding=True)),
        preferences.c.lifted.is_(None),
    )
    .order_by(preferences.c.ordinal)
)


class StoredPreferences:
    """Standing choices on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def of(self, account: str) -> Sequence[Preference]:
        """Return the person's choices in the order of recording, lifted ones excluded."""
        return self.of_many([account]).get(account, ())

    def of_many(self, accounts: Sequence[str]) -> Mapping[str, Sequence[Preference]]:
        """Return the same of several people who have any."""
        found: dict[str, list[Preference]] = {}
        for row in self._tx.execute(_OF, {"accounts": accounts}):
            found.setdefault(row.account, []).append(preference_of(row))
        return found

    def get(self, account: str, name: str) -> Preference | None:
        """Return a choice of the person."""
        row = self._tx.execute(
            select(preferences).where(preferences.c.name == name, preferences.c.account == account)
        ).one_or_none()
        return None if row is None else preference_of(row)

    def add(self, account: str, preference: Preference, recorded: datetime) -> None:
        """Store a choice."""
        self._tx.execute(
            insert(preferences).values(
                name=preference.name,
                account=account,
                kind=preference.kind.value,
                value=preference.value,
                at=preference.at,
                recorded=recorded,
                lifted=preference.lifted,
                app=preference.app,
            )
        )
        note(self._tx, ChangeKind.PERSON, account)

    def lift(self, account: str, name: str, now: datetime) -> None:
        """Lift a choice."""
        self._tx.execute(update(preferences).where(preferences.c.name == name).values(lifted=now))
        note(self._tx, ChangeKind.PERSON, account)

    def list(self, page: Page, account: str) -> tuple[list[Preference], str]:
        """List newest first, lifted ones included; return the cursor of what follows, or empty."""
        query = select(preferences).where(preferences.c.account == account)
        return by_ordinal(self._tx, query, page, preferences.c.ordinal, preference_of)


def preference_of(row: Row[tuple[object, ...]]) -> Preference:
    """Read a choice."""
    return Preference(
        name=row.name,
        kind=PreferenceKind(row.kind),
        value=intern(row.value),
        at=row.at,
        lifted=row.lifted,
        ahead=row.at if row.at > row.recorded else None,
        app=row.app,
    )
