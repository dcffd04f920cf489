"""Accounts at rest, and which of them sharing has yet to hear of."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, select, update

from runtime.seal import Sealer
from services.account.domain.account import Account, State
from services.account.store.tables import accounts

_PURPOSE = "birth_date"


class SqlAccounts:
    """`domain.ports.Accounts` over one transaction."""

    def __init__(self, tx: Connection, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    def add(self, account: Account) -> None:
        """Add an account; sharing has heard of version 0, so it is untold."""
        born = account.birth_date
        self._tx.execute(
            accounts.insert().values(
                name=account.name,
                state=account.state.value,
                country=account.country,
                birth_date=born and self._sealer.seal(born.isoformat(), _PURPOSE, account.name),
                language=account.language,
                accepted_notice=account.accepted_notice,
                created=account.created,
                version=account.version,
                told_version=0,
            )
        )

    def get(self, name: str) -> Account | None:
        """Return an account."""
        row = self._tx.execute(select(accounts).where(accounts.c.name == name)).one_or_none()
        return None if row is None else self._account(row)

    def untold(self, limit: int) -> Sequence[Account]:
        """Return those that sharing must hear of, oldest first."""
        rows = self._tx.execute(
            select(accounts)
            .where(accounts.c.told_version < accounts.c.version)
            .order_by(accounts.c.created)
            .limit(limit)
        )
        return [self._account(row) for row in rows]

    def told(self, name: str, version: int) -> None:
        """Note what sharing acknowledged; an older answer that comes late changes nothing."""
        self._tx.execute(
            update(accounts)
            .where(accounts.c.name == name, accounts.c.told_version < version)
            .values(told_version=version)
        )

    def _account(self, row: Row[Any]) -> Account:
        sealed = row.birth_date
        return Account(
            name=row.name,
            state=State(row.state),
            country=row.country,
            birth_date=None
            if sealed is None
            else date.fromisoformat(self._sealer.open(sealed, _PURPOSE, row.name)),
            language=row.language,
            accepted_notice=row.accepted_notice,
            created=row.created,
            version=row.version,
        )
