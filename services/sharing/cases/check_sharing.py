"""Decides a question and puts the answer on the record, in one unit of work."""

from dataclasses import replace

from runtime.event import Event
from runtime.fault import not_found
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decision
from services.sharing.domain.engine import decide
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Facts, Question, check_question
from services.sharing.domain.records import Recipient


async def check_sharing(means: Means, question: Question, asker: str, acting: Acting) -> Decision:
    """Decide from the facts as they stand; the decision is durable when it is returned.

    An empty destination means the recipient's jurisdiction. NOT_FOUND for an unknown recipient.
    """
    now = means.clock.now()
    check_question(question, means.rulebook)

    def unit(records: Records) -> Decision:
        recipient = records.recipients.get(question.recipient)
        if recipient is None:
            raise not_found(question.recipient)
        asked = question
        if not question.destination:
            asked = replace(question, destination=recipient.jurisdiction)
        answer = decide(means.rulebook, asked, _facts(records, asked, recipient), now)
        decision = Decision(
            name=f"decisions/{means.region}-{opaque_id()}",
            question=asked,
            answer=answer,
            time=now,
            rulebook_digest=means.rulebook.digest,
            trace_id=acting.trace.trace_id,
            asker=asker,
        )
        records.decisions.add(decision)
        records.publish(_event(decision, acting))
        return decision

    return await means.store.write(unit)


def _facts(records: Records, question: Question, recipient: Recipient) -> Facts:
    """Read what bears on a question."""
    account = question.account
    return Facts(
        recipient=recipient,
        subject=records.subjects.get(account) if account else None,
        contracts=records.contracts.with_recipient(recipient.name),
        consents=records.consents.of(account) if account else (),
        preferences=records.preferences.of(account) if account else (),
        instrument=records.instruments.deciding(question.instrument)
        if question.instrument
        else None,
    )


def _event(decision: Decision, acting: Acting) -> Event:
    question, answer = decision.question, decision.answer
    return Event(
        action=f"sharing:decision:{answer.outcome.lower()}",
        outcome=answer.outcome.lower(),
        time=decision.time,
        account=question.account,
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
