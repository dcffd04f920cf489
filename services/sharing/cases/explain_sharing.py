"""Takes a question apart, now or at a past moment; the reading itself is on the record."""

from datetime import datetime

from runtime.event import Event
from runtime.fault import invalid, not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.explanation import Explanation, explain
from services.sharing.domain.ports import Records
from services.sharing.domain.question import Facts, Question, check_question
from services.sharing.domain.records import Recipient


async def explain_sharing(
    means: Means, question: Question, as_of: datetime | None, acting: Acting
) -> Explanation:
    """Evaluate every gate; INVALID_FIELD for a moment to come, NOT_FOUND for the recipient.

    Nothing is decided: there is no record but that of who read about whom, made before the answer.
    """
    now = means.clock.now()
    if as_of is not None and as_of > now:
        raise invalid("as_of_time", "must not be in the future")
    check_question(question, means.rulebook)

    def unit(records: Records) -> tuple[Question, Facts]:
        recipient = records.recipients.get(question.recipient)
        if recipient is None:
            raise not_found(question.recipient)
        asked = question._replace(destination=question.destination or recipient.jurisdiction)
        if as_of is None:
            return asked, facts_now(records, asked, recipient)
        return asked, facts_at(records, asked, recipient, as_of)

    asked, facts = await means.store.read(unit)
    found = explain(means.rulebook, asked, facts, as_of or now, historical=as_of is not None)
    await means.store.write(lambda records: records.publish(_event(asked, as_of, now, acting)))
    return found


def facts_now(records: Records, question: Question, recipient: Recipient) -> Facts:
    """Read what bears on a question."""
    account, holder = question.account, question.holder
    return Facts(
        recipient=recipient,
        subject=records.subjects.get(account) if account else None,
        contracts=records.contracts.with_recipient(recipient.name),
        consents=records.consents.of(holder) if holder else (),
        preferences=records.preferences.of(holder) if holder else (),
        instrument=records.instruments.deciding(question.instrument)
        if question.instrument
        else None,
    )


def facts_at(records: Records, question: Question, recipient: Recipient, at: datetime) -> Facts:
    """Read what bore on a question at a past moment. Recipients never change."""
    account, holder, history = question.account, question.holder, records.history
    return Facts(
        recipient=recipient,
        subject=history.subject(account, at) if account else None,
        contracts=history.contracts(recipient.name, at),
        consents=history.consents(holder, at) if holder else (),
        preferences=history.preferences(holder, at) if holder else (),
        instrument=history.instrument(question.instrument, at) if question.instrument else None,
    )


def _event(question: Question, as_of: datetime | None, now: datetime, acting: Acting) -> Event:
    return acting.event(
        action="sharing:explanation:read",
        time=now,
        account=question.holder,
        resource=question.holder,
        recipients=[question.recipient],
        fields={
            "service": question.service,
            "purpose": question.purpose,
            "categories": ",".join(question.categories),
            "destination": question.destination,
            "as_of": as_of.isoformat() if as_of else "",
            **({"instrument": question.instrument} if question.instrument else {}),
        },
    )
