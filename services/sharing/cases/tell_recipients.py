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
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Records
from services.sharing.domain.records import Preference, PreferenceKind, SubjectStatus
from services.sharing.domain.revocation import MOST_DECISIONS, Cause, Notice, Received

_OUTCOMES = {"sharing:revocation:fail": "fail", "sharing:revocation:overdue": "overdue"}


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
        concern = self._concern(choice)
        if concern:
            self._tell(holder, *concern)

    def account(self, holder: str) -> None:
        """Tell everybody who received anything about a person whose account is deleted."""
        self._tell(holder, Cause.ACCOUNT_DELETED, lambda _: True)

    def contract(self, contract: str, recipient: str) -> None:
        """Tell a recipient whose contract is terminated, if it ever received anything."""
        if self.records.notices.has_received(recipient):
            self._write(recipient, "", Cause.CONTRACT_TERMINATED, (), contract)

    def disclosed(self, disclosure: Disclosure) -> None:
        """Tell a recipient of data that was sent before it was called back, and recorded after."""
        cause = None if disclosure.instrument else self._called_back(disclosure)
        if cause:
            under = (disclosure.decision,)
            self._write(disclosure.recipient, disclosure.holder, cause, under, "")

    def _called_back(self, disclosure: Disclosure) -> Cause | None:
        records, holder = self.records, disclosure.holder
        recipient = records.recipients.get(disclosure.recipient)
        subject = records.subjects.get(holder)
        if recipient is None or not holder:
            return None
        if subject and subject.status is SubjectStatus.DELETED:
            return Cause.ACCOUNT_DELETED
        for name in disclosure.consents:
            consent = records.consents.get(holder, name)
            if consent and consent.withdrawn:
                return Cause.CONSENT_WITHDRAWN
        held = Received(
            recipient.name,
            recipient.kind,
            disclosure.decision,
            disclosure.purpose,
            disclosure.consents,
        )
        for choice in records.preferences.of(holder):
            concern = self._concern(choice)
            if concern and concern[1](held):
                return concern[0]
        return None

    def _concern(self, choice: Preference) -> tuple[Cause, Callable[[Received], bool]] | None:
        """Return why and to whom a choice matters."""
        value = choice.value
        purposes, kinds = self.means.rulebook.purposes, self.means.rulebook.kind_keys
        match choice.kind:
            case PreferenceKind.STOP_SHARING_WITH:
                return (
                    Cause.SHARING_STOPPED,
                    lambda held: value == held.recipient or value in kinds[held.kind],
                )
            case PreferenceKind.OBJECT_TO:
                # An objection leaves alone what rests on consent.
                return Cause.OBJECTED, lambda held: held.purpose == value and not held.consents
            case PreferenceKind.OPT_OUT:
                return Cause.OPTED_OUT, lambda held: purposes[held.purpose].opt_out == value
        return None

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
        self.records.publish(
            notice_event("sharing:revocation:create", notice, self.now, self.acting)
        )


def notice_event(action: str, notice: Notice, now: datetime, acting: Acting) -> Event:
    """Describe a step in the life of a notice."""
    return acting.event(
        action=action,
        outcome=_OUTCOMES.get(action, "ok"),
        time=now,
        account=notice.holder,
        resource=notice.name,
        recipients=[notice.recipient],
        contracts=[notice.contract],
        fields={
            "cause": notice.cause.value,
            "decisions": ",".join(notice.decisions),
            "deadline": notice.deadline.isoformat(),
            "attempts": str(notice.attempts),
            "problem": notice.problem,
            "note": notice.note,
        },
    )
