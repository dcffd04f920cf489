"""Consents in SQL: revisions are added, never altered; the newest is how a consent stands."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from sys import intern

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from services.sharing.domain.consents import standing
from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.ports import Page
from services.sharing.domain.records import (
    VALID_CONSENTS,
    Consent,
    ConsentRevision,
    ConsentState,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
)
from services.sharing.domain.revocation import Ending
from services.sharing.store.changes import note
from services.sharing.store.endings import StoredEndings
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import consents

_OF = (
    select(consents)
    .where(consents.c.account.in_(bindparam("accounts", expanding=True)))
    .order_by(consents.c.ordinal)
)
_FIRST = consents.alias("first")
_ANY = consents.alias("any_revision")


class StoredConsents:
    """Consents on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def of(self, account: str) -> Sequence[Consent]:
        """Return the person's consents as they stand, in the order of their latest answers."""
        return self.of_many([account]).get(account, ())

    def of_many(self, accounts: Sequence[str]) -> Mapping[str, Sequence[Consent]]:
        """Return the same of several people who have any."""
        found: dict[str, list[Consent]] = {}
        for row in self._tx.execute(_OF, {"accounts": accounts}):
            found.setdefault(row.account, []).append(consent_of(row))
        return {account: standing(revisions) for account, revisions in found.items()}

    def get(self, account: str, name: str) -> Consent | None:
        """Return a consent of the person as it stands."""
        row = self._tx.execute(
            select(consents)
            .where(consents.c.name == name, consents.c.account == account)
            .order_by(consents.c.revision.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else consent_of(row)

    def revisions(self, account: str, name: str) -> Sequence[ConsentRevision]:
        """Return every revision of a consent of the person, oldest first; none: not theirs."""
        rows = self._tx.execute(
            select(consents)
            .where(consents.c.name == name, consents.c.account == account)
            .order_by(consents.c.revision)
        )
        return [ConsentRevision(row.revision, consent_of(row), row.recorded) for row in rows]

    def count(self, account: str) -> int:
        """Return how many revisions there are of all of the person's consents."""
        mine = select(func.count()).select_from(consents).where(consents.c.account == account)
        return self._tx.execute(mine).scalar_one()

    def add(self, account: str, consent: Consent, recorded: datetime) -> None:
        """Add a revision."""
        revision = self._tx.execute(
            select(func.count()).select_from(consents).where(consents.c.name == consent.name)
        ).scalar_one()
        self._tx.execute(
            insert(consents).values(
                name=consent.name,
                revision=revision + 1,
                account=account,
                service=consent.scope.service,
                purposes=json.dumps(sorted(consent.scope.purposes)),
                categories=json.dumps(sorted(consent.scope.categories)),
                recipient=consent.scope.recipient,
                state=consent.state.value,
                at=consent.at,
                expires=consent.expires,
                withdrawn=consent.withdrawn,
                notice=consent.notice,
                language=consent.language,
                method=consent.indication.method.value,
                indicator=consent.indication.by.value,
                indicator_name=consent.indication.name,
                recorded=recorded,
            )
        )
        if consent.expires and consent.state in VALID_CONSENTS:
            StoredEndings(self._tx).add(Ending(account, "", consent.expires))
        note(self._tx, ChangeKind.PERSON, account)

    def list(self, page: Page, account: str) -> tuple[list[Consent], str]:
        """List newest first; return the cursor of what follows, or empty."""
        newest = (
            select(func.max(_ANY.c.revision))
            .where(_ANY.c.name == _FIRST.c.name)
            .correlate(_FIRST)
            .scalar_subquery()
        )
        query = (
            select(consents)
            .join(_FIRST, _FIRST.c.name == consents.c.name)
            .where(
                _FIRST.c.account == account,
                _FIRST.c.revision == 1,
                consents.c.revision == newest,
            )
        )
        return by_ordinal(self._tx, query, page, _FIRST.c.ordinal, consent_of)


def consent_of(row: Row[tuple[object, ...]]) -> Consent:
    """Read a revision."""
    return Consent(
        name=row.name,
        scope=_scope(row.service, row.purposes, row.categories, row.recipient),
        state=ConsentState(row.state),
        at=row.at,
        expires=row.expires,
        withdrawn=row.withdrawn,
        notice=intern(row.notice),
        language=intern(row.language),
        indication=_indication(row.method, row.indicator)
        if not row.indicator_name
        else Indication(IndicationMethod(row.method), Indicator(row.indicator), row.indicator_name),
        ahead=row.at if row.at > row.recorded else None,
    )


# A million consents have a few hundred scopes: each is in memory once.
@lru_cache(maxsize=20_000)
def _scope(service: str, purposes: str, categories: str, recipient: str) -> Scope:
    return Scope(
        service=intern(service),
        purposes=frozenset(map(intern, json.loads(purposes))),
        categories=frozenset(map(intern, json.loads(categories))),
        recipient=recipient,
    )


@lru_cache(maxsize=100)
def _indication(method: str, by: str) -> Indication:
    return Indication(IndicationMethod(method), Indicator(by))
