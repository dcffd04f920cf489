"""Writes the notices for recipients, in the unit that ends what they hold.

Who has to be told is what the record says was really sent. What law ordered to disclose is left
out: neither the person nor we can call it back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.event import Event
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain import calling_back
from services.sharing.domain.acting import Acting
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Records
from services.sharing.domain.records import Consent, ConsentState, Preference, Subject
from services.sharing.domain.revocation import MOST_DECISIONS, Cause, Notice, Received

_OUTCOMES = {"sharing:revocation:fail": "fail", "sharing:revocation:overdue": "overdue"}


@dataclass(frozen=True, slots=True)
class Revoking:
    """The unit that revokes: its records, its moment, who acts."""

    means: Means
    records: Records
    now: datetime
    acting: Acting

    def consent(self, holder: str, after: Consent, before: Consent | None) -> None:
        """Tell who received data that rests on a yes which this step of a consent ended.

        `before` is the consent before the step; None: it said nothing. What had ended already, for
        the same cause, is not told again.
        """
        stand = self.records.consents.of(holder)
        stood = [before if each.name == after.name else each for each in stand]
        ends = self._ends(stand)
        ended = self._ends([consent for consent in stood if consent])
        told: dict[Cause, list[Received]] = {}
        for held in self.records.notices.received_about(holder):
            new = ends.of(held).items() - ended.of(held).items() if held.sent.consents else ()
            for cause in sorted({cause for _, cause in new}):
                told.setdefault(cause, []).append(held)
        for cause, those in told.items():
            self._tell(holder, cause, those)

    def choice(self, holder: str, choice: Preference) -> None:
        """Tell whom a standing choice concerns; one that ends nothing concerns nobody."""
        self._concern(holder, calling_back.of_choice(choice, self.means.rulebook))

    def status(self, subject: Subject) -> None:
        """Tell whom an account's new status concerns."""
        self._concern(subject.account, calling_back.of_status(subject.status))

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

    def expired(self, ran_out: Iterable[tuple[str, Received]]) -> None:
        """Tell who received data that rests on consents which ran out, and were not renewed."""
        told: dict[str, list[Received]] = {}
        for name, held in ran_out:
            consent = self.records.consents.get(held.sent.holder, name)
            if consent and consent.state_at(self.now) is ConsentState.EXPIRED:
                told.setdefault(held.sent.holder, []).append(held)
        for holder, those in told.items():
            self._tell(holder, Cause.CONSENT_EXPIRED, those)

    def _called_back(self, disclosure: Disclosure) -> Cause | None:
        records, holder = self.records, disclosure.holder
        recipient = records.recipients.get(disclosure.recipient)
        subject = records.subjects.get(holder)
        if recipient is None or not holder:
            return None
        held = Received(recipient.kind, disclosure)
        concerns = [calling_back.of_status(subject.status)] if subject else []
        if disclosure.consents:
            ended = self._ends(records.consents.of(holder)).of(held).values()
            # What expired, whoever looks for that tells.
            concerns += [(c, lambda _: True) for c in ended if c is not Cause.CONSENT_EXPIRED]
        rulebook = self.means.rulebook
        concerns += [calling_back.of_choice(c, rulebook) for c in records.preferences.of(holder)]
        return calling_back.first(concerns, held)

    def _ends(self, consents: Sequence[Consent]) -> calling_back.Ends:
        return calling_back.Ends(consents, self.means.rulebook, self.now)

    def _concern(self, holder: str, concern: calling_back.Concern | None) -> None:
        if concern:
            cause, concerned = concern
            told = self.records.notices.told(holder, cause)
            received = self.records.notices.received_about(holder)
            # What was received since it was told last is told; the rest was, whoever said it.
            new = (
                held
                for held in received
                if (at := told.get(held.sent.decision)) is None or at < held.sent.recorded
            )
            self._tell(holder, cause, filter(concerned, new))

    def _tell(self, holder: str, cause: Cause, those: Iterable[Received]) -> None:
        told: dict[str, dict[str, None]] = {}
        for held in those:
            told.setdefault(held.sent.recipient, {})[held.sent.decision] = None
        for recipient, under in told.items():
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
