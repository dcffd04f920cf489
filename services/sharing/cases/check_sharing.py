"""Decides a question from the facts in memory and puts the answer on the record."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from runtime.event import Decision as Stated
from runtime.event import Event
from runtime.fault import Fault, not_found
from runtime.ids import ordered_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decided, Decision, Record
from services.sharing.domain.engine import decide
from services.sharing.domain.freshness import Freshness
from services.sharing.domain.question import Facts, Question, check_question
from services.sharing.domain.vocabulary import Outcome

ATTEMPTS = 2  # of an answer whose facts changed while its record waited
_ACTIONS = {
    Outcome.PERMIT: "sharing:decision:permit",
    Outcome.DENY: "sharing:decision:deny",
    Outcome.GAP: "sharing:decision:gap",
}
_RETRY_AFTER = timedelta(milliseconds=200)


async def check_sharing(
    means: Means, question: Question, freshness: Freshness, asker: str, acting: Acting
) -> Decided:
    """Decide from facts as new as asked; the decision is durable when it is returned.

    An empty destination means the recipient's jurisdiction. NOT_FOUND for an unknown recipient.
    """
    check_question(question, means.rulebook)
    for _ in range(ATTEMPTS):
        gathered = await means.facts.gather_many((question,), freshness)
        facts = gathered.facts[0]
        if facts is None:
            raise not_found(question.recipient)
        name = f"decisions/{means.region}-{ordered_id(means.clock.now())}"
        (decided,) = judged(means, [(name, question, facts)], gathered.token, asker, acting)
        event = _event(decided.decision, acting)
        await means.register.keep(Record(name, asker, (decided,), (event,)))
        if await means.facts.still_hold(gathered):
            return decided
    raise too_late()


def judged(
    means: Means,
    questions: Iterable[tuple[str, Question, Facts]],
    token: str,
    asker: str,
    acting: Acting,
) -> Iterator[Decided]:
    """Decide named questions, at one moment."""
    now, rulebook = means.clock.now(), means.rulebook
    digest, trace_id, encode = rulebook.digest, acting.way.trace.trace_id, means.codec.encode
    for name, question, facts in questions:
        asked = question
        if not question.destination:
            asked = question._replace(destination=facts.recipient.jurisdiction)
        answer = decide(rulebook, asked, facts, now, remember=True)
        yield encode(Decision(name, asked, answer, now, digest, trace_id, asker, token))


def too_late() -> Fault:
    """Refuse to answer from facts that may be out of date by now."""
    return Fault(
        "UNAVAILABLE", "the facts changed while the record was written", retry_after=_RETRY_AFTER
    )


def _event(decision: Decision, acting: Acting) -> Event:
    question, answer = decision.question, decision.answer
    return acting.event(
        action=_ACTIONS[answer.outcome],
        outcome=answer.outcome.lower(),
        time=decision.time,
        account=question.holder,
        resource=decision.name,
        recipients=[question.recipient],
        contracts=[answer.contract],
        decision=Stated(
            decision.name,
            answer.outcome,
            tuple(found.reason for found in answer.findings),
            tuple(sorted(answer.citations)),
            decision.rulebook_digest,
        ),
        fields={
            "service": question.service,
            "purpose": question.purpose,
            "categories": ",".join(question.categories),
            "destination": question.destination,
            "relation": question.relation,
            "contract": answer.contract,
            # By this the log tells what an order forbids to tell the person.
            **({"instrument": question.instrument} if question.instrument else {}),
        },
    )
