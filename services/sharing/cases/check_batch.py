"""Decides many questions on one state of the facts, as one record with a section for each."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import count

from runtime.event import Decision as Stated
from runtime.event import Event, Part, Section, in_entries
from runtime.fault import Fault
from runtime.ids import ordered_id
from services.sharing.cases.check_sharing import ATTEMPTS, judged, too_late
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decided, Record
from services.sharing.domain.freshness import Freshness
from services.sharing.domain.question import Facts, Question, check_question

_TURN = 50  # questions between which others have their turn


async def check_batch(
    means: Means, asked: Iterable[Question], freshness: Freshness, asker: str, acting: Acting
) -> list[Decided]:
    """Decide all or nothing; each answer is the one that the question alone would get.

    The first question that is malformed, or raises a Fault when it is read, refuses them all; so
    does an unknown recipient.
    """
    questions: list[Question] = []
    try:
        for question in asked:
            check_question(question, means.rulebook)
            questions.append(question)
    except Fault as fault:
        raise _of_question(fault, len(questions)) from fault
    for _ in range(ATTEMPTS):
        gathered = await means.facts.gather_many(questions, freshness)
        known = [facts for facts in gathered.facts if facts is not None]
        if len(known) < len(questions):
            raise _unknown(questions, gathered.facts)
        stem = f"decisions/{means.region}-{ordered_id(means.clock.now())}"
        names = (f"{stem}-{place}" for place in count())
        named = zip(names, questions, known, strict=False)
        decided: list[Decided] = []
        for each in judged(means, named, gathered.token, asker, acting):
            decided.append(each)
            if len(decided) % _TURN == 0:
                await asyncio.sleep(0)  # a single question waits for some of a batch, not for all
        events = _events(stem, decided, acting)
        await means.register.keep(Record(stem, asker, decided, events))
        if await means.facts.still_hold(gathered):
            return decided
    raise too_late()


def _of_question(fault: Fault, place: int) -> Fault:
    """Say of which question a fault is: `question.purpose` becomes `questions[3].purpose`."""
    at = f"questions[{place}]"
    message = fault.message.removeprefix("question.")
    fields = [(field.removeprefix("question."), why) for field, why in fault.violations]
    return Fault(
        fault.reason,
        f"{at}: {message}" if message == fault.message else f"{at}.{message}",
        metadata=fault.metadata | ({"field": f"{at}.{fields[0][0]}"} if fields else {}),
        violations=[(f"{at}.{field}", why) for field, why in fields] or [(at, fault.message)],
        retry_after=fault.retry_after,
    )


def _unknown(questions: Sequence[Question], facts: Sequence[Facts | None]) -> Fault:
    place = list(facts).index(None)
    name = questions[place].recipient
    return _of_question(
        Fault(
            "NOT_FOUND",
            f"no {name}",
            metadata={"resource": name},
            violations=[("recipient", "is not registered")],
        ),
        place,
    )


def _events(stem: str, decided: Sequence[Decided], acting: Acting) -> list[Event]:
    """Describe the batch, split as entries are bounded: each person in a section of their own.

    What is about nobody needs no key of its own: it stands in the fields.
    """
    first = decided[0].decision
    said = (
        Part(
            Section(each.decision.question.holder, _said(each)),
            each.decision.question.recipient,
            each.decision.answer.contract,
        )
        for each in decided
    )
    events = []
    for parts in in_entries(said):
        sections = _joined(part.section for part in parts)
        fields = {"token": first.token}
        for section in sections:
            if not section.account:
                fields |= section.fields
        events.append(
            acting.event(
                action="sharing:decision:batch",
                outcome="recorded",
                time=first.time,
                resource=stem,
                recipients=[part.recipient for part in parts],
                contracts=[part.contract for part in parts],
                decision=Stated(stem, rulebook=first.rulebook_digest),
                fields=fields,
                sections=tuple(section for section in sections if section.account),
            )
        )
    return events


def _joined(sections: Iterable[Section]) -> list[Section]:
    """Say what is about one person in one section, a line a decision.

    What was asked under an order has a section of its own, which can be withheld.
    """
    about: dict[tuple[str, str], list[Section]] = {}
    for section in sections:
        about.setdefault((section.account, section.fields.get("instrument", "")), []).append(
            section
        )
    return [same[0] if len(same) == 1 else _as_one(same) for same in about.values()]


def _as_one(same: Sequence[Section]) -> Section:
    account, fields = same[0]
    joined = {**fields, "decision": "\n".join(section.fields["decision"] for section in same)}
    relations = [section.fields.get("relation", "") for section in same]
    if any(relations):
        joined["relation"] = "\n".join(relations)
    return Section(account, joined)


def _said(decided: Decided) -> dict[str, str]:
    """Say in one line, behind the decision's name and a colon, what was asked and answered.

    One, since each value is sealed by itself. The line names nobody, so the app may read it again.
    What leads to a person stands beside it: `relation`, a line a decision too, and `instrument`, by
    which the log knows what the person must not be told.
    """
    decision, _, line = decided
    question = decision.question
    said = {"decision": f"{decision.name}: {line}"}
    if question.relation:
        said["relation"] = question.relation
    if question.instrument and question.holder:
        said["instrument"] = question.instrument
    return said
