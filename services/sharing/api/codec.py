"""Decisions as the bytes of accord.sharing.v1.Decision, and back."""

from datetime import UTC

from accord.sharing.v1 import decision_pb2

from services.sharing.api import encoding
from services.sharing.domain.decision import Decision
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import Guest
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason

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
        """Return the bytes that leave and are kept.

        Fields with a higher number follow those with a lower one, so that the last ones, which the
        decisions of a batch have in common, are encoded once and put behind.
        """
        d = decision
        common = (d.time, d.rulebook_digest, d.trace_id, d.asker, d.token)
        if common != self._common:
            self._common = common
            self._tail = encoding.circumstances(d).SerializeToString()
        return encoding.answered(d).SerializeToString() + self._tail

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
