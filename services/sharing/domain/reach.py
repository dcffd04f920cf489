"""Who has a person's data and who could get it: told from the records, and from the rules."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.sharing.domain.compiled import Cells
from services.sharing.domain.decision import Decision
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.engine import decide
from services.sharing.domain.question import Answer, Facts, Ground, Question
from services.sharing.domain.records import Contract, Guest, Recipient
from services.sharing.domain.rulebook import Kind, Purpose, Rulebook
from services.sharing.domain.vocabulary import (
    LEGAL_DISCLOSURE,
    STATISTICS,
    WINNER_PUBLICATION,
    Basis,
)

_ASSUMED = "assumed"  # stands for an order, ticket or entry that nobody has named yet


@dataclass(frozen=True, slots=True)
class Holding:
    """What a recipient has for one purpose. Not `disclosed`: permitted, and perhaps sent."""

    purpose: str
    categories: frozenset[str]
    disclosed: bool
    first: datetime
    last: datetime
    decision: str
    grounds: tuple[Ground, ...] = ()


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a recipient could get for one purpose, if a service asked now."""

    purpose: str
    service: str
    grounds: tuple[Ground, ...]
    contract: str
    until: date | None
    relation_assumed: bool
    signed_in_assumed: bool
    de_identified_assumed: bool


def disclosed(disclosures: Iterable[Disclosure]) -> list[Holding]:
    """Sum up what was sent to one recipient, by purpose; given newest first."""
    return _summed(
        Holding(each.purpose, frozenset(each.categories), True, each.time, each.time, each.decision)
        for each in disclosures
    )


def permitted(decisions: Iterable[Decision]) -> list[Holding]:
    """Sum up what one recipient was permitted to get, by purpose; given newest first."""
    return _summed(
        Holding(
            each.question.purpose,
            frozenset(each.question.categories),
            False,
            each.time,
            each.time,
            each.name,
            each.answer.grounds,
        )
        for each in decisions
    )


def _summed(holdings: Iterable[Holding]) -> list[Holding]:
    by_purpose: dict[str, Holding] = {}
    for each in holdings:
        newest = by_purpose.setdefault(each.purpose, each)
        by_purpose[each.purpose] = replace(
            newest,
            categories=newest.categories | each.categories,
            first=min(newest.first, each.first),
            last=max(newest.last, each.last),
        )
    return [by_purpose[purpose] for purpose in sorted(by_purpose)]


def prospects(
    rulebook: Rulebook, facts: Facts, guest: Guest | None, service: str, now: datetime
) -> Iterator[Prospect]:
    """Evaluate what a recipient could get of somebody, if that service asked: some milliseconds.

    The recipient's own country is the destination. What the law orders is left out: only an
    instrument says what that is. So is what is about nobody.
    """
    if facts.subject is None and guest is None:
        return
    kind = facts.recipient.kind
    speaking = rulebook.speaking(service, now.date())
    for (to, purpose), cells in speaking.cells.items():
        if to == kind and purpose not in {LEGAL_DISCLOSURE, STATISTICS} and cells:
            asked = service, rulebook.purposes[purpose], cells
            found = _prospect(rulebook, facts, guest, *asked, now)
            if found:
                yield found


def _prospect(  # noqa: PLR0917  one question in its parts
    rulebook: Rulebook,
    facts: Facts,
    guest: Guest | None,
    service: str,
    purpose: Purpose,
    cells: Cells,
    now: datetime,
) -> Prospect | None:
    relation = purpose.relation and any(cell.basis is Basis.CONTRACT for cell in cells.values())
    signed_in = guest is None and any(cell.signed_in for cell in cells.values())
    published = purpose.key == WINNER_PUBLICATION
    question = Question(
        account=facts.subject.account if facts.subject else "",
        service=service,
        recipient=facts.recipient.name,
        purpose=purpose.key,
        categories=tuple(cells),
        destination=facts.recipient.jurisdiction,
        relation=_ASSUMED if relation else "",
        signed_in=signed_in,
        de_identified=published,
        guest=guest,
    )
    answer = decide(rulebook, question, facts, now)
    if not answer.permitted_categories:
        return None
    if answer.findings:
        # What is permitted alone may rest on several contracts: each category for itself.
        alone = [
            decide(rulebook, question._replace(categories=(category,)), facts, now)
            for category in answer.permitted_categories
        ]
    else:
        alone = [answer]
    return Prospect(
        purpose=purpose.key,
        service=service,
        grounds=_joined(ground for each in alone for ground in each.grounds),
        contract=alone[0].contract,
        until=_until(facts.contracts, alone, rulebook.kinds[facts.recipient.kind]),
        relation_assumed=relation,
        signed_in_assumed=signed_in,
        de_identified_assumed=published,
    )


def _joined(grounds: Iterable[Ground]) -> tuple[Ground, ...]:
    """Put together the grounds that differ in their categories alone."""
    joined: dict[Ground, tuple[str, ...]] = {}
    for ground in grounds:
        same = ground._replace(categories=())
        joined[same] = joined.get(same, ()) + ground.categories
    return tuple(same._replace(categories=categories) for same, categories in joined.items())


def _until(contracts: Sequence[Contract], answers: Iterable[Answer], kind: Kind) -> date | None:
    """Return the last day on which no consent and no contract of these answers has ended."""
    ends = []
    terms = {contract.version_name: contract.terms for contract in contracts}
    for answer in answers:
        ends += [ground.ends.date() for ground in answer.grounds if ground.ends]
        if answer.contract:
            relied = terms[answer.contract]
            ends.append(relied.expires)
            if kind.due_diligence and relied.due_diligence:
                ends.append(relied.due_diligence.expires)
    return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class RecipientReach:
    """A recipient, and what it has or could get of one person."""

    recipient: Recipient
    holdings: Sequence[Holding]
    prospects: Sequence[Prospect]


@dataclass(frozen=True, slots=True)
class SubjectReach:
    """A person, and what one recipient has or could get of them."""

    holder: str
    holdings: Sequence[Holding]
    prospects: Sequence[Prospect]
