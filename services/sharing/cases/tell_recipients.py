"""Writes the notices for recipients, in the unit that ends what they hold.

Who has to be told is what the record says was really sent. What law ordered to disclose is left
out: neither the person nor we can call it back.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runtime.event import Event
from runtime.ids import opaque_id
from services.sharing.cases.means import Means
from services.sharing.domain import calling_back
from services.sharing.domain.acting import Acting
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Records
from services.sharing.domain.records import Consent, Preference, Subject, SubjectStatus
from services.sharing.domain.revocation import MOST_DECISIONS, Cause, Ending, Notice, Received

_OUTCOMES = {"sharing:revocation:fail": "fail", "sharing:revocation:overdue": "overdue"}


@dataclass(frozen=True, slots=True)
class Revoking:
    """The unit that revokes: its records, its moment, who acts."""

    means: Means
    records: Records
    now: datetime
    acting: Acting

    def consent(self, holder: str, consent: Consent) -> None:
        """Tell who received data that rests on a yes which this step of a consent ended."""
        self._begin(Ending(holder, consent.name, self.now))

    def choice(self, holder: str, choice: Preference) -> None:
        """Tell whom a standing choice concerns; one that ends nothing concerns nobody."""
        self._begin(Ending(holder, choice.name, self.now))

    def status(self, subject: Subject) -> None:
        """Tell whom an account's new status concerns."""
        self._begin(Ending(subject.account, subject.status.value, self.now))

    def go_on(self, ending: Ending) -> int:
        """Tell the next whom an ending concerns; return how much of what was sent was looked at."""
        looked_at, last = self._tell_some(ending)
        if last:
            self.records.endings.save(replace(ending, seen=last))
        else:
            self.records.endings.remove(ending)
        return looked_at

    def contract(self, contract: str, recipient: str) -> None:
        """Tell a recipient whose contract is terminated, if it ever received anything."""
        if self.records.notices.has_received(recipient):
            self._write(recipient, "", Cause.CONTRACT_TERMINATED, (), contract)

    def disclosed(self, disclosure: Disclosure, number: int) -> None:
        """Tell a recipient of data that was sent before it was called back, and recorded after."""
        records, holder = self.records, disclosure.holder
        recipient = records.recipients.get(disclosure.recipient)
        if recipient is None or not holder or disclosure.instrument:
            return
        held = Received(recipient.kind, disclosure)
        subject = records.subjects.get(holder)
        concerns = [calling_back.of_status(subject.status)] if subject else []
        if disclosure.consents:
            consents = records.consents.of(holder)
            ended = self._ends(consents, self.now).of(held).values()
            concerns += [(c, lambda _: True) for c in ended if c is not Cause.CONSENT_EXPIRED]
            # What expired was perhaps told to all others; whoever goes on with that tells of this.
            dated = [each for each in consents if disclosure.purpose in each.scope.purposes]
            for at in {consent.expires for consent in dated if consent.expires}:
                if self._run_out(consents, at)(held):
                    records.endings.add(Ending(holder, "", at, number - 1))
        rulebook = self.means.rulebook
        concerns += [calling_back.of_choice(c, rulebook) for c in records.preferences.of(holder)]
        cause = calling_back.first(concerns, held)
        if cause:
            self._write(disclosure.recipient, holder, cause, (disclosure.decision,), "")

    def _begin(self, ending: Ending) -> None:
        """Tell the first whom an ending concerns; who is left is told by whoever goes on with it.

        So is a withdrawal as quick for whom much was sent about as for all others.
        """
        _, last = self._tell_some(ending)
        if last:
            self.records.endings.add(replace(ending, seen=last))

    def _tell_some(self, ending: Ending) -> tuple[int, int]:
        """Return how much was looked at, and the number of the last of it; 0: nothing follows."""
        causes = self._causes(ending)
        if causes is None:
            return 0, 0
        received, last = self.records.notices.received(ending.holder, ending.seen, MOST_DECISIONS)
        concerned: dict[Cause, list[Disclosure]] = {}
        for held in received:
            for cause in causes(held):
                concerned.setdefault(cause, []).append(held.sent)
        for cause in sorted(concerned):
            self._tell(ending, cause, concerned[cause])
        return len(received), last

    def _causes(self, ending: Ending) -> Callable[[Received], Collection[Cause]] | None:
        """Return what tells why an ending concerns what is held; None: it concerns nothing."""
        holder, name = ending.holder, ending.resource
        if ending.of_consent:
            consents = self.records.consents.of(holder)
            if name:
                return self._stepped(consents, ending)
            renewed = all(consent.expires != ending.at for consent in consents)
            return None if renewed else self._run_out(consents, ending.at)
        choice = self.records.preferences.get(holder, name)
        concern = (
            calling_back.of_choice(choice, self.means.rulebook)
            if choice
            else calling_back.of_status(SubjectStatus(name))
        )
        if concern is None:
            return None
        cause, concerned = concern
        return lambda held: (cause,) if concerned(held) else ()

    def _stepped(
        self, consents: Sequence[Consent], ending: Ending
    ) -> Callable[[Received], Collection[Cause]]:
        """Tell what the last step of a consent ended; before the first it said nothing.

        What had ended already, for the same cause, is not told again.
        """
        *_, before, _ = [None, *self.records.consents.revisions(ending.holder, ending.resource)]
        stood = [
            before and before.consent if each.name == ending.resource else each for each in consents
        ]
        return calling_back.newly(
            self._ends([each for each in stood if each], ending.at),
            self._ends(consents, ending.at),
        )

    def _run_out(
        self, consents: Sequence[Consent], at: datetime
    ) -> Callable[[Received], Collection[Cause]]:
        """Tell what ended by consents that ran out at a moment, and were not renewed.

        That is what rests on them, and what rests on an older one in whose place they were.
        """
        before = self._ends(consents, at - timedelta.resolution)
        return calling_back.newly(before, self._ends(consents, at))

    def _ends(self, consents: Sequence[Consent], at: datetime) -> calling_back.Ends:
        return calling_back.Ends(consents, self.means.rulebook, at)

    def _tell(self, ending: Ending, cause: Cause, those: Sequence[Disclosure]) -> None:
        told = self.records.notices.told(cause, {sent.decision for sent in those})
        under: dict[str, dict[str, None]] = {}
        for sent in those:
            # What was received since it was told last is told; the rest was, whoever said it. A
            # consent that was renewed ends anew.
            since = max(sent.recorded, ending.at) if ending.of_consent else sent.recorded
            last = told.get(sent.decision)
            if last is None or last < since:
                under.setdefault(sent.recipient, {})[sent.decision] = None
        for recipient, decisions in under.items():
            self._write(recipient, ending.holder, cause, tuple(decisions), "")

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
