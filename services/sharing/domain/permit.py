"""Permits: a decision that its holder keeps for a while, and that anyone can verify offline.

What alters a fact revokes them, by the keys in `watch`. What ends by its date alone is no such
change, so that a permit ends with it: with a consent that it rests on, and with the day, since
contracts, instruments and rules count by days of UTC.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta

from services.sharing.domain.decision import Decision
from services.sharing.domain.freshness import Change, ChangeKind, Position, position
from services.sharing.domain.question import Question

TYPE = "accord-permit+jwt"  # the JWS's `typ`
# Long enough that a session's calls are answered from memory; short enough that a copy is worth
# little to somebody who does not watch.
LIFE = timedelta(minutes=5)


def expiry(decided: datetime, consents_end: Iterable[datetime | None]) -> datetime:
    """Return from when a permit holds no more, given when the consents that it rests on end."""
    midnight = datetime.combine(decided.date() + timedelta(days=1), time(), decided.tzinfo)
    return min(decided + LIFE, midnight, *(end for end in consents_end if end is not None))


def revoked_by(question: Question) -> Sequence[Change]:
    """Return what, once altered, revokes the permit of a question; the rules aside."""
    changes = [Change(ChangeKind.RECIPIENT, question.recipient)]
    if question.personal:
        changes.append(Change(ChangeKind.PERSON, question.holder))
    if question.instrument:
        changes.append(Change(ChangeKind.INSTRUMENT, question.instrument))
    return changes


def claims(decision: Decision, region: str, watch: Sequence[str]) -> Mapping[str, object] | None:
    """Return what a permit says of a decision that permits; `watch` are the keys that revoke it.

    None when what it rests on ends within the second, since permits count in whole ones.
    Its token is where everything before is known to have been seen, so that whoever is shown it
    can tell by the order of tokens alone which revocations it already takes into account.
    """
    question, answer = decision.question, decision.answer
    domain = f"spiffe://{region}.accord.internal"
    ends = expiry(decision.time, [ground.ends for ground in answer.grounds])
    issued, expires = int(decision.time.timestamp()), int(ends.timestamp())
    if expires <= issued:
        return None
    settled = position(decision.token, region).settled
    person = {"sub": question.holder} if question.personal else {}
    return person | {
        "iss": f"{domain}/svc/sharing",
        "aud": f"{domain}/app/{decision.asker}",
        "jti": decision.name,
        "iat": issued,
        "exp": expires,
        "service": question.service,
        "recipient": question.recipient,
        "purpose": question.purpose,
        "categories": question.categories,
        "destination": question.destination,
        "obligations": answer.obligations,
        "contract": answer.contract,
        "rulebook": decision.rulebook_digest,
        "token": Position(settled, settled).token(region),
        "watch": watch,
    }
