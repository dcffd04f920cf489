"""A sample of recorded questions with the facts of today, as a file that names nobody."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from runtime.db import Database
from services.sharing.api.codec import ProtoDecisions
from services.sharing.cases.explain_sharing import facts_now
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Facts, Question
from services.sharing.domain.records import Guest, Indication
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.whatif import Replay, nothing, replay
from services.sharing.store.records import SqlStore

_AT_ONCE = 50  # in one unit


@dataclass(frozen=True, slots=True)
class Recorded:
    """A question that was decided, with what bears on it now."""

    decision: str
    question: Question
    facts: Facts


class SampleError(Exception):
    """A file that holds no sample."""


_LINE = TypeAdapter(Recorded)


async def read_database(url: str, size: int) -> list[Recorded]:
    """Return the newest recorded questions of a database; it is only read."""
    database = Database(url)
    store = SqlStore(database, ProtoDecisions())
    found: list[Recorded] = []
    try:
        last = await store.read(lambda records: records.decisions.last())
        while last > 0 and len(found) < size:
            part = range(last, max(0, last - _AT_ONCE), -1)
            found += await store.read(lambda records, p=part: [*_recorded(records, p)])  # type: ignore[misc]  # bound now
            last -= _AT_ONCE
    finally:
        await database.close()
    return [_nameless(each, n) for n, each in enumerate(found[:size])]


def write_lines(sample: Sequence[Recorded]) -> Iterator[str]:
    """Yield a line of JSON for each."""
    for each in sample:
        yield _LINE.dump_json(each).decode()


def read_lines(text: str) -> list[Recorded]:
    """Return what `write_lines` wrote; SampleError names the line that is otherwise."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found.append(_LINE.validate_python(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise SampleError(f"line {number} is no recorded question") from error
    return found


def differing(
    sample: Sequence[Recorded], rules: tuple[Rulebook, Rulebook], moment: datetime
) -> Iterator[tuple[Recorded, Replay]]:
    """Yield those that the two rulebooks answer otherwise."""
    for each in sample:
        both = replay(rules, nothing, each.question, each.facts, moment)
        if both and both.differs:
            yield each, both


def _recorded(records: Records, numbers: Sequence[int]) -> Iterator[Recorded]:
    for decision in records.decisions.numbered(numbers):
        recipient = records.recipients.get(decision.question.recipient)
        if recipient:
            facts = facts_now(records, decision.question, recipient)
            yield Recorded(decision.name, decision.question, facts)


def _nameless(each: Recorded, number: int) -> Recorded:
    """Leave out who it is: names of accounts, sessions and guardians, and of what was ordered."""
    question, facts = each.question, each.facts
    account = f"accounts/{number}" if question.account else ""
    guest = question.guest and Guest(question.guest.jurisdiction, f"{number}")
    consents = [
        replace(consent, name=f"{account}/consents/{n}", indication=Indication())
        for n, consent in enumerate(facts.consents)
    ]
    preferences = [
        replace(choice, name=f"{account}/preferences/{n}")
        for n, choice in enumerate(facts.preferences)
    ]
    return Recorded(
        each.decision,
        question._replace(
            account=account,
            guest=guest,
            relation="named" if question.relation else "",
        ),
        facts._replace(
            subject=facts.subject and replace(facts.subject, account=account),
            consents=consents,
            preferences=preferences,
            instrument=facts.instrument and replace(facts.instrument, account=account),
        ),
    )
