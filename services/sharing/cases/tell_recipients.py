"""Writes the notices for recipients, in the unit that ends what they hold.

Who has to be told is what the record says was really sent. What law ordered to disclose is left
out: neither the person nor we can call it back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from runtime.event import Event
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records
from services.sharing.domain.records import Preference, PreferenceKind
from services.sharing.domain.revocation import MOST_DECISIONS, Cause, Notice, Received


@dataclass(frozen=True, slots=True)
class Revoking:
    """The unit that revokes: its records, its moment, who acts."""

    means: Means
    records: Records
    now: datetime
    acting: Acting

    def consent(self, holder: str, consent: str) -> None:
        """Tell who received data that rests on a consent."""
        self._tell(holder, Cause.CONSENT_WITHDRAWN, lambda held: consent in held.consents)

    def choice(self, holder: str, choice: Preference) -> None:
        """Tell whom a standing choice concerns; one that ends nothing concerns nobody."""
        means, value = self.means, choice.value
        purposes, kinds = means.rulebook.purposes, means.rulebook.kind_keys
        match choice.kind:
            case PreferenceKind.STOP_SHARING_WITH:
                self._tell(
                    holder,
                    Cause.SHARING_STOPPED,
                    lambda held: value == held.recipient or value in kinds[held.kind],
                )
            case PreferenceKind.OBJECT_TO:
                # An objection leaves alone what rests on consent.
                self._tell(
                    holder,
                    Cause.OBJECTED,
                    lambda held: held.purpose == value and not held.consents,
                )
            case PreferenceKind.OPT_OUT:
                self._tell(
                    holder, Cause.OPTED_OUT, lambda held: purposes[held.purpose].opt_out == value
                )

    def account(self, holder: str) -> None:
        """Tell everybody who received anything about a person whose account is deleted."""
        self._tell(holder, Cause.ACCOUNT_DELETED, lambda _: True)

    def contract(self, contract: str, recipient: str) -> None:
        """Tell a recipient whose contract is terminated, if it ever received anything."""
        if self.records.notices.has_received(recipient):
            self._write(recipient, "", Cause.CONTRACT_TERMINATED, (), contract)

    def _tell(self, holder: str, cause: Cause, concerned: Callable[[Received], bool]) -> None:
        held: dict[str, dict[str, None]] = {}
        for received in self.records.notices.received_about(holder):
            if concerned(received):
                held.setdefault(received.recipient, {})[received.decision] = None
        for recipient, under in held.items():
            decisions = tuple(under)
            for first in range(0, len(decisions), MOST_DECISIONS):
                part = decisions[first : first + MOST_DECISIONS]
                self._write(recipient, holder, cause, part, "")

    def _write(
        self, recipient: str, holder: str, cause: Cause, decisions: tuple[str, ...], contract: str
    ) -> None:
        subject = self.records.subjects.get(holder) if holder else None
        country = subject.jurisdiction if subject else ""
        notice = Notice(
            name=f"revocations/{self.means.region}-{opaque_id()}",
            recipient=recipient,
            holder=holder,
            cause=cause,
            decisions=decisions,
            contract=contract,
            created=self.now,
            deadline=self.means.notices.deadline(country, self.now),
            next_attempt=self.now,
        )
        self.records.notices.add(notice)
        self.records.publish(notice_event("create", notice, self.now, self.acting))


def notice_event(verb: str, notice: Notice, now: datetime, acting: Acting) -> Event:
    """Describe a step in the life of a notice."""
    return Event(
        action=f"sharing:revocation:{verb}",
        outcome="ok" if verb in {"create", "acknowledge", "retry"} else verb,
        time=now,
        account=notice.holder,
        actor=acting.who,
        resource=notice.name,
        fields={
            "recipient": notice.recipient,
            "cause": notice.cause.value,
            "decisions": ",".join(notice.decisions),
            "contract": notice.contract,
            "deadline": notice.deadline.isoformat(),
            "attempts": str(notice.attempts),
            "problem": notice.problem,
            "note": notice.note,
        },
        trace=acting.trace,
    )
