"""Notices by which recipients learn that they may use no longer what they received.

pending ── sent, and the recipient answers with the notice's id ──▶ acknowledged
pending ── refused for good, or never answered in thirty days ──▶ failed
pending or failed ── retry (an officer) ──▶ pending
pending or failed ── acknowledged by hand (an officer) ──▶ acknowledged
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from runtime.fault import Fault
from services.sharing.domain.disclosure import Disclosure

MOST_DECISIONS = 500  # in one notice

_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
_GIVEN_UP = timedelta(days=30)


class Cause(StrEnum):
    """Why the data may be used no longer."""

    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_REFUSED = "consent_refused"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_INVALIDATED = "consent_invalidated"
    SHARING_STOPPED = "sharing_stopped"
    OBJECTED = "objected"
    OPTED_OUT = "opted_out"
    PROCESSING_RESTRICTED = "processing_restricted"
    ACCOUNT_DELETED = "account_deleted"
    CONTRACT_TERMINATED = "contract_terminated"


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends what recipients hold of somebody, and how far that was told.

    `resource` is the consent, the choice, or the status of the account; empty: whatever consents
    run out at that moment. `seen` is the number of the last disclosure that was looked at.
    """

    holder: str
    resource: str
    at: datetime
    seen: int = 0

    @property
    def of_consent(self) -> bool:
        """Tell whether consents end, which may be renewed and then end anew."""
        return not self.resource or self.resource.startswith(f"{self.holder}/consents/")


class NoticeState(StrEnum):
    """Where a notice stands."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NoticeRules:
    """What the region's settings say about notices.

    `hours` is how long a recipient has, where no law of the person's country (`by_country`) says
    otherwise. `loopback` is for a sandbox: notices may go to this very machine.
    """

    hours: int
    by_country: Mapping[str, int] = field(default_factory=dict)
    loopback: bool = False

    def deadline(self, country: str, now: datetime) -> datetime:
        """Return until when a recipient has to have a notice of now."""
        return now + timedelta(hours=self.by_country.get(country, self.hours))


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it stands. Whom it is about is known by what it names, and here alone."""

    name: str
    recipient: str
    holder: str  # empty when a contract ended
    cause: Cause
    decisions: tuple[str, ...]
    contract: str  # empty for the other causes
    created: datetime
    deadline: datetime
    state: NoticeState = NoticeState.PENDING
    attempts: int = 0
    attempted: datetime | None = None
    next_attempt: datetime | None = None
    problem: str = ""
    acknowledged: datetime | None = None
    acknowledger: str = ""
    note: str = ""

    def overdue(self, now: datetime) -> bool:
        """Tell whether the deadline has passed without an acknowledgement."""
        return self.state is not NoticeState.ACKNOWLEDGED and self.deadline < now

    def heard(self, now: datetime) -> "Notice":
        """The recipient acknowledged."""
        return replace(
            self,
            state=NoticeState.ACKNOWLEDGED,
            attempts=self.attempts + 1,
            attempted=now,
            next_attempt=None,
            problem="",
            acknowledged=now,
        )

    def missed(self, now: datetime, problem: str, *, final: bool) -> "Notice":
        """An attempt failed: for good, or until the next one."""
        tried = replace(self, attempts=self.attempts + 1, attempted=now, problem=problem)
        if final or now - self.created >= _GIVEN_UP:
            return replace(tried, state=NoticeState.FAILED, next_attempt=None)
        return replace(tried, next_attempt=now + pause(self.name, tried.attempts))

    def retry(self, now: datetime) -> "Notice":
        """Have it sent anew, now; how often it was sent stays on record."""
        self._require_open()
        return replace(self, state=NoticeState.PENDING, next_attempt=now)

    def acknowledge_by_hand(self, actor: str, note: str, now: datetime) -> "Notice":
        """Note that the recipient acknowledged in another way."""
        self._require_open()
        return replace(
            self,
            state=NoticeState.ACKNOWLEDGED,
            next_attempt=None,
            acknowledged=now,
            acknowledger=actor,
            note=note,
        )

    def _require_open(self) -> None:
        if self.state is NoticeState.ACKNOWLEDGED:
            raise Fault(
                "WRONG_STATE",
                "the notice is acknowledged",
                metadata={"resource": self.name, "state": self.state.value},
            )


@dataclass(frozen=True, slots=True)
class Received:
    """What a recipient of a kind holds: it was sent under a decision, and no law ordered that."""

    kind: str
    sent: Disclosure

    @property
    def beside_consent(self) -> bool:
        """Tell whether any of it rests on something other than a consent."""
        consented = {key for keys in self.sent.consents.values() for key in keys}
        return not consented.issuperset(self.sent.categories)


def pause(name: str, attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: doubling to an hour, less up to a half.

    The share that is taken off is drawn from the notice's name, so that notices of one moment
    spread out and a test can foretell each.
    """
    longest = min(_FIRST_PAUSE * (1 << min(attempts - 1, 16)), _LONGEST_PAUSE)
    drawn = hashlib.sha256(f"{name} {attempts}".encode()).digest()
    return longest * (1 - int.from_bytes(drawn[:4], "big") / 2**33)
