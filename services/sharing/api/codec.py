"""Decisions as the bytes of accord.sharing.v1.Decision, and back."""

from datetime import UTC
from functools import lru_cache
from typing import Any

from accord.sharing.v1 import decision_pb2

from services.sharing.api import encoding
from services.sharing.domain.decision import Decided, Decision, said
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import Guest
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason

_ALIKE = 4096  # pairs of question and answer that are remembered, about 1 kB each

# Tags of the wire format for what has a length: number << 3 | 2. Of Decision:
_NAME, _GROUND, _QUESTION = b"\x0a", b"\x32", b"\x42"
# Of Question, Guest and Ground:
_ACCOUNT, _RELATION, _GUEST = b"\x0a", b"\x3a", b"\x5a"
_JURISDICTION, _SESSION, _CONSENT = b"\x0a", b"\x12", b"\x22"
_BYTES = [bytes((number,)) for number in range(1 << 7)]

_OUTCOMES: dict[int, Outcome] = {number: word for word, number in encoding.OUTCOMES.items()}
_BASES: dict[int, Basis] = {number: word for word, number in encoding.BASES.items()}
_REASONS: dict[int, Reason] = {number: word for word, number in encoding.REASONS.items()}
_DUTIES: dict[int, Obligation] = {number: word for word, number in encoding.OBLIGATIONS.items()}


class ProtoDecisions:
    """The codec of decisions."""

    def __init__(self) -> None:
        self._common: tuple[object, ...] = ()
        self._tail = b""

    def encode(self, decision: Decision) -> Decided:
        """Return a decision with the bytes that are kept and the line that the log is told.

        A message may come in pieces, which whoever reads it puts together, as are those within it.
        So what many decisions have in common is encoded once: what was asked and answered, but for
        whom and by whose consent; and what all decisions of a batch share.
        """
        d = decision
        common = d[3:]
        if common != self._common:
            self._common = common
            self._tail = encoding.circumstances(d).SerializeToString()
        asked, answer = d.question, d.answer
        consents = b""
        if any(ground.consent for ground in answer.grounds):
            consents = b"".join([_ground(ground) for ground in answer.grounds])
            answer = Answer(*answer[:4], tuple([Ground(*g[:3]) for g in answer.grounds]), answer[5])
        body, line = _alike(asked[1:6] + asked[7:11], answer, bool(consents))
        return Decided(d, b"".join((_own(d), consents, body, self._tail)), line)

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
    """Encode the name, and of the question whom it is about."""
    asked = decision.question
    about = _text(_ACCOUNT, asked.account) + _text(_RELATION, asked.relation)
    if asked.guest:
        guest = _text(_JURISDICTION, asked.guest.jurisdiction)
        about += _sized(_GUEST, guest + _text(_SESSION, asked.guest.session))
    return _text(_NAME, decision.name) + _sized(_QUESTION, about)


def _ground(ground: Ground) -> bytes:
    return _sized(_GROUND, _alike_ground(*ground[:3]) + _text(_CONSENT, ground.consent))


@lru_cache(maxsize=_ALIKE)
def _alike_ground(categories: tuple[str, ...], citation: str, basis: Basis) -> bytes:
    return encoding.ground(Ground(categories, citation, basis)).SerializeToString()


@lru_cache(maxsize=_ALIKE)
def _alike(asked: tuple[Any, ...], answer: Answer, by_consent: bool) -> tuple[bytes, str]:  # noqa: FBT001  a part of the key
    """Encode what was asked and answered, whoever it is about; the line says all of it.

    Where an answer rests on consents, its grounds are encoded with these, each time.
    """
    question = Question._make(("", *asked[:5], "", *asked[5:], None))
    line = said(question, answer)
    if by_consent:
        answer = answer._replace(grounds=())
    return encoding.answered(question, answer).SerializeToString(), line


def _text(tag: bytes, text: str) -> bytes:
    return _sized(tag, text.encode()) if text else b""


def _sized(tag: bytes, part: bytes) -> bytes:
    """Put tag and size before a part of at most 16,383 bytes; none is near: all are bounded."""
    size = len(part)
    if size < 1 << 7:
        return tag + _BYTES[size] + part
    return tag + bytes((size & 127 | 128, size >> 7)) + part


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
