"""Contracts in SQL: where each stands, its immutable versions, its steps."""

import json
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, insert, select, update

from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.calendar import ends_of
from services.sharing.domain.contracts import by_effect
from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.ports import Page
from services.sharing.domain.records import (
    Contract,
    ContractState,
    DueDiligence,
    SafeguardDetail,
    SccModule,
    SignedDocument,
    Subprocessor,
    Terms,
)
from services.sharing.store.changes import note
from services.sharing.store.expiries import StoredExpiries
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import contract_events, contract_versions, contracts

# The version that decides: the one once activated, else the latest.
_DECIDING = case(
    (contracts.c.active_version > 0, contracts.c.active_version), else_=contracts.c.version
)
_WITH = (
    select(
        contracts.c.name,
        contract_versions.c.version,
        contracts.c.state,
        contracts.c.active_state,
        contract_versions.c.terms,
    )
    .join(
        contract_versions,
        and_(
            contract_versions.c.contract == contracts.c.name,
            contract_versions.c.version == _DECIDING,
        ),
    )
    .where(contracts.c.recipient == bindparam("recipient"))
    .order_by(contracts.c.ordinal)
)
_LATEST = select(contracts, contract_versions.c.terms).join(
    contract_versions,
    and_(
        contract_versions.c.contract == contracts.c.name,
        contract_versions.c.version == contracts.c.version,
    ),
)
_SETS = ("purposes", "categories", "origins", "destinations", "safeguards", "subprocessors")


class StoredContracts:
    """Contracts on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def with_recipient(self, recipient: str) -> Sequence[Contract]:
        """Return each contract with a recipient, at the version that decides, as `Facts` wants."""
        return by_effect(
            Contract(
                row.name,
                row.version,
                ContractState(row.active_state or row.state),
                terms_of(row.terms),
            )
            for row in self._tx.execute(_WITH, {"recipient": recipient})
        )

    def get(self, name: str) -> Agreement | None:
        """Return a contract with its history."""
        row = self._tx.execute(_LATEST.where(contracts.c.name == name)).one_or_none()
        if row is None:
            return None
        steps = self._tx.execute(
            select(contract_events)
            .where(contract_events.c.contract == name)
            .order_by(contract_events.c.ordinal)
        )
        history = tuple(
            Step(step.version, ContractState(step.state), step.actor, step.time, step.note)
            for step in steps
        )
        return _agreement(row, history)

    def save(self, agreement: Agreement, step: Step) -> None:
        """Store where a contract stands after a step, and the terms of a new version."""
        standing = {
            "version": agreement.version,
            "state": agreement.state.value,
            "active_version": agreement.active_version,
            "active_state": agreement.active_state.value if agreement.active_state else "",
            "author": agreement.author,
        }
        if step.state is ContractState.DRAFT:
            self._tx.execute(
                insert(contract_versions).values(
                    contract=agreement.name,
                    version=agreement.version,
                    terms=json.dumps(_encode(agreement.terms)),
                )
            )
        if step.state is ContractState.DRAFT and agreement.version == 1:
            self._tx.execute(
                insert(contracts).values(
                    name=agreement.name,
                    recipient=agreement.recipient,
                    created=agreement.created,
                    **standing,
                )
            )
        else:
            self._tx.execute(
                update(contracts).where(contracts.c.name == agreement.name).values(**standing)
            )
        self._tx.execute(
            insert(contract_events).values(
                contract=agreement.name,
                version=step.version,
                state=step.state.value,
                actor=step.actor,
                note=step.note,
                time=step.time,
            )
        )
        note(self._tx, ChangeKind.RECIPIENT, agreement.recipient)
        if agreement.state is ContractState.TERMINATED:
            StoredExpiries(self._tx).replace(agreement.name, ())
        elif agreement.state is ContractState.ACTIVE:  # a resumed older one is there already
            ends = ends_of(agreement.name, agreement.recipient, agreement.terms)
            StoredExpiries(self._tx).replace(agreement.name, ends)

    def list(self, page: Page, recipient: str) -> tuple[list[Agreement], str]:
        """List newest first, without histories; return the cursor of what follows, or empty."""
        query = _LATEST.where(contracts.c.recipient == recipient) if recipient else _LATEST
        return by_ordinal(self._tx, query, page, contracts.c.ordinal, _agreement)


def _agreement(row: Row[tuple[object, ...]], history: tuple[Step, ...] = ()) -> Agreement:
    return Agreement(
        name=row.name,
        recipient=row.recipient,
        version=row.version,
        state=ContractState(row.state),
        terms=terms_of(row.terms),
        active_version=row.active_version,
        active_state=ContractState(row.active_state) if row.active_state else None,
        author=row.author,
        created=row.created,
        history=history,
    )


def _encode(terms: Terms) -> dict[str, object]:
    found, document = terms.due_diligence, terms.document
    return {
        **{key: sorted(getattr(terms, key)) for key in _SETS},
        "effective": terms.effective.isoformat(),
        "expires": terms.expires.isoformat(),
        "due_diligence": found and [found.passed, found.on.isoformat(), found.expires.isoformat()],
        "confidentiality": terms.confidentiality,
        "delete_on_termination": terms.delete_on_termination,
        "document": document and [document.sha256, document.location],
        "chain": [
            [link.name, link.jurisdiction, link.activity, link.parent]
            for link in terms.subprocessor_chain
        ],
        "details": [
            [
                detail.safeguard,
                detail.scc_module,
                detail.reference,
                detail.impact_assessment,
                detail.expires and detail.expires.isoformat(),
            ]
            for detail in terms.safeguard_details
        ],
        "obligations": terms.obligations,
    }


@lru_cache(maxsize=20_000)
def terms_of(text: str) -> Terms:
    """Parse terms once: the same text is the same terms, whatever was rolled back in between."""
    raw: dict[str, Any] = json.loads(text)
    found, document = raw["due_diligence"], raw["document"]
    return Terms(
        **{key: frozenset(raw[key]) for key in _SETS},
        effective=date.fromisoformat(raw["effective"]),
        expires=date.fromisoformat(raw["expires"]),
        due_diligence=DueDiligence(
            found[0], date.fromisoformat(found[1]), date.fromisoformat(found[2])
        )
        if found
        else None,
        confidentiality=raw["confidentiality"],
        delete_on_termination=raw["delete_on_termination"],
        document=SignedDocument(*document) if document else None,
        subprocessor_chain=tuple(Subprocessor(*link) for link in raw["chain"]),
        safeguard_details=tuple(_detail(*detail) for detail in raw["details"]),
        obligations=tuple(raw["obligations"]),
    )


def _detail(
    safeguard: str, module: str | None, reference: str, assessment: str, expires: str | None
) -> SafeguardDetail:
    return SafeguardDetail(
        safeguard,
        SccModule(module) if module else None,
        reference,
        assessment,
        date.fromisoformat(expires) if expires else None,
    )
