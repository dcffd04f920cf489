"""Who has whose data, in SQL: read from the first of each kind of disclosures and permits."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, select

from services.sharing.domain.decision import Decision
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Page
from services.sharing.domain.records import Recipient, Subject
from services.sharing.domain.vocabulary import Outcome
from services.sharing.store.decisions import StoredDecisions
from services.sharing.store.disclosures import disclosure_of
from services.sharing.store.recipients import recipient_of
from services.sharing.store.subjects import subject_of
from services.sharing.store.tables import disclosures, permitted, received, recipients, subjects

# Of these it is known when each kind was last permitted; of older ones when it first was.
_NEWEST_PERMITS = 200
_ALIKE = disclosures.c.service, disclosures.c.purpose, disclosures.c.instrument


class StoredReach:
    """Reach on one connection. Each read is bounded by one person, one recipient or one page."""

    __slots__ = ("_decisions", "_tx")

    def __init__(self, tx: Connection, decisions: StoredDecisions) -> None:
        self._tx = tx
        self._decisions = decisions

    def disclosed(
        self,
        holder: str,
        recipient: str,
        secret: Collection[str],
        services: Collection[str] | None = None,
    ) -> list[Disclosure]:
        """Return the first of a person's disclosures to a recipient of each kind, and the last.

        Kinds differ in service, purpose, categories and instrument; of the last in all but these
        categories. However much was sent, no more is read.
        """
        mine = received.c.holder == holder, received.c.recipient == recipient
        query = select(received).where(*mine, received.c.instrument.not_in(secret))
        if services is not None:
            query = query.where(received.c.service.in_(services))
        kinds = self._tx.execute(query).all()
        numbers = {kind.disclosure for kind in kinds}
        for alike in {(kind.service, kind.purpose, kind.instrument) for kind in kinds}:
            last = select(func.max(disclosures.c.ordinal)).where(
                disclosures.c.holder == holder,
                disclosures.c.recipient == recipient,
                *(column == key for column, key in zip(_ALIKE, alike, strict=True)),
            )
            numbers.add(self._tx.execute(last).scalar_one())
        found = select(disclosures).where(disclosures.c.ordinal.in_(numbers))
        rows = self._tx.execute(found.order_by(disclosures.c.ordinal.desc()))
        return [disclosure_of(row) for row in rows]

    def permits(self, holder: str, secret: Collection[str]) -> list[Decision]:
        """Return a person's newest permits, newest first."""
        found, _ = self._decisions.list(Page("", _NEWEST_PERMITS), holder, Outcome.PERMIT)
        return [each for each in found if each.question.instrument not in secret]

    def first_permits(self, holder: str, recipient: str, secret: Collection[str]) -> list[Decision]:
        """Return the first permit of each kind, of a person to a recipient, newest first."""
        query = select(permitted.c.position).where(
            permitted.c.holder == holder,
            permitted.c.recipient == recipient,
            permitted.c.instrument.not_in(secret),
        )
        positions = self._tx.execute(query.order_by(permitted.c.position.desc())).scalars().all()
        return list(self._decisions.at(positions))

    def receivers(self, holder: str, secret: Collection[str]) -> set[str]:
        """Return the names of all recipients that a person's data was or may have been sent to."""
        return {
            name
            for table in (received, permitted)
            for name in self._tx.execute(
                select(table.c.recipient)
                .where(table.c.holder == holder, table.c.instrument.not_in(secret))
                .distinct()
            ).scalars()
        }

    def recipients(self, after: str, size: int, among: Collection[str] | None) -> list[Recipient]:
        """Return the next recipients by name, of all or of those named."""
        query = select(recipients).where(recipients.c.name > after)
        if among is not None:
            query = query.where(recipients.c.name.in_(among))
        rows = self._tx.execute(query.order_by(recipients.c.name).limit(size))
        return [recipient_of(row) for row in rows]

    def holders(self, recipient: str, after: str, size: int) -> list[str]:
        """Return the next people by name whose data was or may have been sent to a recipient."""
        either = [
            self._tx.execute(
                select(table.c.holder)
                .where(table.c.recipient == recipient, table.c.holder > after)
                .distinct()
                .order_by(table.c.holder)
                .limit(size)
            ).scalars()
            for table in (received, permitted)
        ]
        return sorted({holder for some in either for holder in some})[:size]

    def subjects(self, after: str, size: int) -> Sequence[Subject]:
        """Return the next accounts by name."""
        query = select(subjects).where(subjects.c.account > after)
        rows = self._tx.execute(query.order_by(subjects.c.account).limit(size))
        return [subject_of(row) for row in rows]
