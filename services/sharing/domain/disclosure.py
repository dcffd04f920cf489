"""What was really sent under a decision, and when that may be said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runtime.fault import Fault, invalid
from services.sharing.domain.decision import Decision
from services.sharing.domain.vocabulary import Outcome

_CLOCKS = timedelta(minutes=1)  # clocks of apps and ours differ by less
_MOST_RECORDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Data that an app sent. Immutable; `late`: after the permit had expired."""

    name: str
    decision: str
    holder: str  # whose data: accounts/… or guests/<session>; empty: nobody's
    recipient: str
    service: str
    purpose: str
    categories: tuple[str, ...]  # what was sent, in the decision's order
    consents: Mapping[str, tuple[str, ...]]  # what of it rests on which consent
    instrument: str  # the legal instrument that ordered it, or empty
    records: int  # 0: not counted
    time: datetime
    recorded: datetime
    late: bool
    sender: str  # the app


def disclosed(
    decision: Decision,
    categories: Sequence[str],
    *,
    name: str,
    time: datetime | None,
    records: int,
    expires: datetime,
    now: datetime,
) -> Disclosure:
    """Return what the app says that it sent, held against what was permitted, until `expires`.

    NO_PERMIT for another outcome, CATEGORY_NOT_PERMITTED for what the decision does not cover.
    What was sent late is taken as such: it was sent, and that is what the record is for.
    """
    question, answer = decision.question, decision.answer
    if answer.outcome is not Outcome.PERMIT:
        raise Fault(
            "NO_PERMIT",
            "nothing may be disclosed under this decision",
            metadata={"resource": decision.name, "outcome": answer.outcome.lower()},
        )
    sent = frozenset(categories)
    if not sent or len(sent) != len(categories):
        raise invalid("categories", "at least one is needed, each at most once")
    for category in categories:
        if category not in question.categories:
            raise Fault(
                "CATEGORY_NOT_PERMITTED",
                "this category was not permitted",
                metadata={"category": category},
            )
    if not 0 <= records <= _MOST_RECORDS:
        raise invalid("record_count", f"must be 0 to {_MOST_RECORDS}")
    moment = now if time is None else time
    if not decision.time - _CLOCKS <= moment <= now + _CLOCKS:
        raise invalid("disclose_time", "must be between the decision and now")
    resting: dict[str, tuple[str, ...]] = {}
    for ground in answer.grounds:
        part = tuple(key for key in ground.categories if key in sent)
        if ground.consent and part:
            resting[ground.consent] = resting.get(ground.consent, ()) + part
    return Disclosure(
        name=name,
        decision=decision.name,
        holder=question.holder,
        recipient=question.recipient,
        service=question.service,
        purpose=question.purpose,
        categories=tuple(key for key in question.categories if key in sent),
        consents=resting,
        instrument=question.instrument,
        records=records,
        time=moment,
        recorded=now,
        late=moment >= expires,
        sender=decision.asker,
    )
