"""Decisions in SQL: what is searched for in columns, the rest as JSON."""

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from services.sharing.domain.decision import Decision
from services.sharing.domain.ports import Page
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import Guest
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason
from services.sharing.store.paging import by_ordinal
from services.sharing.store.tables import decisions

_ADD = insert(decisions)


class StoredDecisions:
    """Decisions on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, decision: Decision) -> None:
        """Store a decision."""
        self._tx.execute(
            _ADD,
            {
                "name": decision.name,
                "account": decision.question.account,
                "asker": decision.asker,
                "outcome": decision.answer.outcome.value,
                "time": decision.time,
                "body": json.dumps(_encode(decision), ensure_ascii=False, separators=(",", ":")),
            },
        )

    def get(self, name: str) -> Decision | None:
        """Return a decision."""
        row = self._tx.execute(select(decisions).where(decisions.c.name == name)).one_or_none()
        return None if row is None else _decision(row)

    def list(self, page: Page, account: str, outcome: Outcome | None) -> tuple[list[Decision], str]:
        """List those about a person newest first; return the cursor of what follows, or empty."""
        query = select(decisions).where(decisions.c.account == account)
        if outcome:
            query = query.where(decisions.c.outcome == outcome.value)
        return by_ordinal(self._tx, query, page, decisions.c.ordinal, _decision)


def _encode(decision: Decision) -> dict[str, object]:
    question, answer = decision.question, decision.answer
    return {
        "service": question.service,
        "recipient": question.recipient,
        "purpose": question.purpose,
        "categories": question.categories,
        "destination": question.destination,
        "relation": question.relation,
        "subprocessor": question.subprocessor,
        "instrument": question.instrument,
        "signed_in": question.signed_in,
        "de_identified": question.de_identified,
        "guest": question.guest and [question.guest.jurisdiction, question.guest.session],
        "findings": [
            [found.reason, found.citations, found.categories] for found in answer.findings
        ],
        "permitted": answer.permitted_categories,
        "obligations": answer.obligations,
        "grounds": [
            [ground.categories, ground.citation, ground.basis, ground.consent]
            for ground in answer.grounds
        ],
        "contract": answer.contract,
        "rulebook": decision.rulebook_digest,
        "trace": decision.trace_id,
        "token": decision.token,
    }


def _decision(row: Row[tuple[object, ...]]) -> Decision:
    body: dict[str, Any] = json.loads(row.body)
    return Decision(
        name=row.name,
        question=Question(
            account=row.account,
            service=body["service"],
            recipient=body["recipient"],
            purpose=body["purpose"],
            categories=tuple(body["categories"]),
            destination=body["destination"],
            relation=body["relation"],
            subprocessor=body["subprocessor"],
            instrument=body["instrument"],
            signed_in=body["signed_in"],
            de_identified=body["de_identified"],
            guest=Guest(*body["guest"]) if body["guest"] else None,
        ),
        answer=Answer(
            outcome=Outcome(row.outcome),
            findings=tuple(
                Finding(Reason(reason), tuple(citations), tuple(categories))
                for reason, citations, categories in body["findings"]
            ),
            permitted_categories=tuple(body["permitted"]),
            obligations=tuple(map(Obligation, body["obligations"])),
            grounds=tuple(
                Ground(tuple(categories), citation, Basis(basis), consent)
                for categories, citation, basis, consent in body["grounds"]
            ),
            contract=body["contract"],
        ),
        time=row.time,
        rulebook_digest=body["rulebook"],
        trace_id=body["trace"],
        asker=row.asker,
        token=body["token"],
    )
