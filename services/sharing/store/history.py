"""The records as they stood at a past moment, read from what is never altered."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from services.sharing.domain.agreement import Step
from services.sharing.domain.contracts import by_effect
from services.sharing.domain.history import choices_at, consents_at, contract_at
from services.sharing.domain.records import (
    Consent,
    ConsentRevision,
    Contract,
    ContractState,
    Instrument,
    Preference,
    Subject,
)
from services.sharing.store.consents import consent_of
from services.sharing.store.contracts import terms_of
from services.sharing.store.instruments import StoredInstruments
from services.sharing.store.preferences import preference_of
from services.sharing.store.subjects import subject_of
from services.sharing.store.tables import (
    consents,
    contract_events,
    contract_versions,
    contracts,
    preferences,
    subject_versions,
)


class StoredHistory:
    """Past records on one connection. Each read is bounded by one person or one recipient."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def subject(self, account: str, at: datetime) -> Subject | None:
        """Return the newest version of a subject that was recorded by then."""
        row = self._tx.execute(
            select(subject_versions)
            .where(subject_versions.c.account == account, subject_versions.c.recorded <= at)
            .order_by(subject_versions.c.version.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else subject_of(row)

    def consents(self, holder: str, at: datetime) -> Sequence[Consent]:
        """Return the consents as they stood, as `Facts` wants them."""
        rows = self._tx.execute(
            select(consents).where(consents.c.account == holder).order_by(consents.c.ordinal)
        )
        return consents_at(
            (ConsentRevision(row.revision, consent_of(row), row.recorded) for row in rows), at
        )

    def preferences(self, holder: str, at: datetime) -> Sequence[Preference]:
        """Return the choices that stood, as `Facts` wants them."""
        rows = self._tx.execute(
            select(preferences)
            .where(preferences.c.account == holder)
            .order_by(preferences.c.ordinal)
        )
        return choices_at(map(preference_of, rows), at)

    def contracts(self, recipient: str, at: datetime) -> Sequence[Contract]:
        """Return each contract at the version that decided then, as `Facts` wants them."""
        steps: dict[str, list[Step]] = {}
        for row in self._tx.execute(
            select(contracts.c.name, contract_events)
            .join(contract_events, contract_events.c.contract == contracts.c.name)
            .where(contracts.c.recipient == recipient)
            .order_by(contracts.c.ordinal, contract_events.c.ordinal)
        ):
            step = Step(row.version, ContractState(row.state), row.actor, row.time, row.note)
            steps.setdefault(row.name, []).append(step)
        terms = {
            (row.contract, row.version): terms_of(row.terms)
            for row in self._tx.execute(
                select(contract_versions)
                .join(contracts, contracts.c.name == contract_versions.c.contract)
                .where(contracts.c.recipient == recipient)
            )
        }
        return by_effect(
            Contract(name, *stood, terms[name, stood[0]])
            for name, taken in steps.items()
            if (stood := contract_at(taken, at))
        )

    def instrument(self, name: str, at: datetime) -> Instrument | None:
        """Return what an instrument ordered, if it was put in force by then and not revoked."""
        known = StoredInstruments(self._tx).get(name)
        return known.orders if known and known.in_force(at) else None
