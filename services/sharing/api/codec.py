"""Decisions as the bytes of accord.sharing.v1.Decision, and back."""

from datetime import UTC
from functools import lru_cache

from accord.sharing.v1 import decision_pb2

from services.sharing.api import encoding
from services.sharing.domain.decision import Decision
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import Guest
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason

_ALIKE = 4096  # pairs of question and answer that are remembered, about 1 kB each

_OUTCOMES: dict[int, Outcome] = {number: word for word, number in encoding.OUTCOMES.items()}
_BASES: dict[int, Basis] = {number: word for word, number in encoding.BASES.items()}
_REASONS: dict[int, Reason] = {number: word for word, number in encoding.REASONS.items()}
_DUTIES: dict[int, Obligation] = {number: word for word, number in encoding.OBLIGATIONS.items()}


class ProtoDecisions:
    """The codec of decisions."""

    def __init__(self) -> None:
        self._common: tuple[object, ...] = ()
        self._tail = b""

    def encode(self, decision: Decision) -> bytes:
        """Return the bytes that are kept; what leaves is the same message.

        A message may come in pieces, which whoever reads it puts together, as are those within it.
        So what many decisions have in common is encoded once: what was asked and answered, but for
        whom and by whose consent; and what all decisions of a batch share.
        """
        d = decision
        common = (d.time, d.rulebook_digest, d.trace_id, d.asker, d.token)
        if common != self._common:
            self._common = common
            self._tail = encoding.circumstances(d).SerializeToString()
        return _own(d) + _alike(_of_anybody(d.question), _without_consents(d.answer)) + self._tail

    def decode(self, body: bytes) -> Decision:
        """Read a decision again."""
        message = decision_pb2.Decision.FromString(body)
        return Decision(
            name=message.name,
            question=_question(message.question),
            answer=Answer(
                outcome=_OUTCOMES[message.outcome],
                findings=tuple(
                    Finding(_REASONS[found.reason], tuple(found.citations), tuple(found.categories))
                    for found in message.reasons
                ),
                permitted_categories=tuple(message.permitted_categories),
                obligations=tuple(_DUTIES[duty] for duty in message.obligations),
                grounds=tuple(
                    Ground(
                        tuple(ground.categories),
                        ground.citation,
                        _BASES[ground.basis],
                        ground.consent,
                    )
                    for ground in message.grounds
                ),
                contract=message.contract,
            ),
            time=message.decide_time.ToDatetime(tzinfo=UTC),
            rulebook_digest=message.rulebook_digest,
            trace_id=message.trace_id,
            asker=message.asker,
            token=message.token,
        )


def _own(decision: Decision) -> bytes:
    question = decision.question
    message = decision_pb2.Decision(name=decision.name)
    if _rests_on_consent(decision.answer):
        message.grounds.extend(map(encoding.ground, decision.answer.grounds))
    asked = message.question
    asked.account = question.account
    asked.relation = question.relation
    if question.guest:
        asked.guest.jurisdiction = question.guest.jurisdiction
        asked.guest.session = question.guest.session
    return message.SerializeToString()


@lru_cache(maxsize=_ALIKE)
def _alike(question: Question, answer: Answer) -> bytes:
    return encoding.answered(question, answer).SerializeToString()


def _of_anybody(question: Question) -> Question:
    return Question(
        "",
        question.service,
        question.recipient,
        question.purpose,
        question.categories,
        question.destination,
        "",
        question.subprocessor,
        question.instrument,
        question.signed_in,
        question.de_identified,
    )


def _without_consents(answer: Answer) -> Answer:
    return answer._replace(grounds=()) if _rests_on_consent(answer) else answer


def _rests_on_consent(answer: Answer) -> bool:
    return any(ground.consent for ground in answer.grounds)


def _question(message: decision_pb2.Question) -> Question:
    guest = message.guest
    return Question(
        account=message.account,
        service=message.service,
        recipient=message.recipient,
        purpose=message.purpose,
        categories=tuple(message.categories),
        destination=message.destination,
        relation=message.relation,
        subprocessor=message.subprocessor,
        instrument=message.instrument,
        signed_in=message.signed_in,
        de_identified=message.de_identified,
        guest=Guest(guest.jurisdiction, guest.session) if message.HasField("guest") else None,
    )
