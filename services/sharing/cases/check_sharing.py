"""Decides a question from the facts in memory and puts the answer on the record."""

from dataclasses import replace

from runtime.event import Event
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decision
from services.sharing.domain.engine import decide
from services.sharing.domain.freshness import Freshness
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Question, check_question


async def check_sharing(
    means: Means, question: Question, freshness: Freshness, asker: str, acting: Acting
) -> Decision:
    """Decide from facts as new as asked; the decision is durable when it is returned.

    An empty destination means the recipient's jurisdiction. NOT_FOUND for an unknown recipient.
    """
    check_question(question, means.rulebook)
    facts, token = await means.facts.gather(question, freshness)
    now = means.clock.now()
    asked = question
    if not question.destination:
        asked = replace(question, destination=facts.recipient.jurisdiction)
    decision = Decision(
        name=f"decisions/{means.region}-{opaque_id()}",
        question=asked,
        answer=decide(means.rulebook, asked, facts, now),
        time=now,
        rulebook_digest=means.rulebook.digest,
        trace_id=acting.trace.trace_id,
        asker=asker,
        token=token,
    )

    def unit(records: Records) -> None:
        records.decisions.add(decision)
        records.publish(_event(decision, acting))

    await means.store.write(unit)
    return decision


def _event(decision: Decision, acting: Acting) -> Event:
    question, answer = decision.question, decision.answer
    return Event(
        action=f"sharing:decision:{answer.outcome.lower()}",
        outcome=answer.outcome.lower(),
        time=decision.time,
        account=question.holder,
        actor=acting.who,
        resource=decision.name,
        fields={
            "service": question.service,
            "recipient": question.recipient,
            "purpose": question.purpose,
            "categories": ",".join(question.categories),
            "destination": question.destination,
            "relation": question.relation,
            "reasons": ",".join(found.reason for found in answer.findings),
            "citations": "; ".join(sorted(answer.citations)),
            "contract": answer.contract,
            "rulebook": decision.rulebook_digest,
        },
        trace=acting.trace,
    )
