"""Tells who has or may get a person's data, and whose data a recipient has or may get."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runtime.event import Section
from runtime.fault import not_found
from services.sharing.cases.means import Means
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Page, Records
from services.sharing.domain.question import Facts
from services.sharing.domain.reach import (
    Holding,
    Prospect,
    RecipientReach,
    SubjectReach,
    disclosed,
    permitted,
    prospects,
)
from services.sharing.domain.records import Guest, Recipient


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be told of: what is had, what could be, or both."""

    has: bool
    may: bool


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose data: a person's, or a guest's of the `services` of an app."""

    holder: str
    guest: Guest | None = None
    services: Collection[str] | None = None  # None: of all

    def of(self, service: str) -> bool:
        """Tell whether what was decided or sent for a service is about them."""
        return self.services is None or service in self.services


async def list_reached_recipients(
    means: Means, page: Page, whose: Whose, wanted: Wanted
) -> tuple[list[RecipientReach], str]:
    """List by name who has or may get somebody's data; return the cursor of what follows.

    Looks at `page.size` recipients and leaves out those without anything to tell.
    """
    now, holder = means.clock.now(), whose.holder

    def unit(records: Records) -> tuple[list[tuple[Recipient, list[Holding], Facts | None]], str]:
        secret = records.instruments.secret(holder, now.date())
        permits = records.reach.permits(holder, secret) if wanted.has else []
        among: Collection[str] | None = None
        if not wanted.may:
            among = records.reach.receivers(holder, secret)
        looked_at = records.reach.recipients(page.cursor, page.size + 1, among)
        person = _person(records, holder, whose.guest) if wanted.may else None
        rows = []
        for recipient in looked_at[: page.size]:
            holdings: list[Holding] = []
            if wanted.has:
                sent = records.reach.disclosed(holder, recipient.name, secret, whose.services)
                mine = [each for each in permits if each.question.recipient == recipient.name]
                mine += records.reach.first_permits(holder, recipient.name, secret)
                mine = [each for each in mine if whose.of(each.question.service)]
                holdings = [*_grounded(records, disclosed(sent)), *permitted(mine)]
            rows.append((recipient, holdings, person(recipient) if person else None))
        return rows, _following(page, [each.name for each in looked_at])

    rows, following = await means.store.read(unit)
    found = []
    for recipient, holdings, facts in rows:
        could = await _prospects(means, facts, whose, now)
        if holdings or could:
            found.append(RecipientReach(recipient, holdings, could))
    return found, following


async def list_reached_subjects(
    means: Means, page: Page, recipient: str, wanted: Wanted, acting: Acting
) -> tuple[list[SubjectReach], str]:
    """List by name whose data a recipient has or may get; on record before it is told."""
    now = means.clock.now()

    def unit(records: Records) -> tuple[list[tuple[str, list[Holding], Facts | None]], str]:
        known = records.recipients.get(recipient)
        if known is None:
            raise not_found(recipient)
        looked_at = _holders(records, page, recipient, wanted)
        rows = []
        for holder in looked_at[: page.size]:
            holdings: list[Holding] = []
            if wanted.has:
                sent = records.reach.disclosed(holder, recipient, ())
                permits = records.reach.first_permits(holder, recipient, ())
                holdings += [*_grounded(records, disclosed(sent)), *permitted(permits)]
            person = _person(records, holder) if wanted.may else None
            rows.append((holder, holdings, person(known) if person else None))
        return rows, _following(page, looked_at)

    rows, following = await means.store.read(unit)
    found = []
    for holder, holdings, facts in rows:
        could = await _prospects(means, facts, Whose(holder), now)
        if holdings or could:
            found.append(SubjectReach(holder, holdings, could))
    event = acting.event(
        action="sharing:subjects:read",
        time=now,
        resource=recipient,
        recipients=[recipient],
        fields={"shown": str(len(found))},
        # Each finds it under their own key that somebody read about them.
        sections=tuple(
            Section(each.holder, {"told": "has" if each.holdings else "may"}) for each in found
        ),
    )
    await means.store.write(lambda records: records.publish(event))
    return found, following


async def _prospects(
    means: Means, facts: Facts | None, whose: Whose, now: datetime
) -> list[Prospect]:
    """Evaluate what could be, a service at a time: between them others have their turn."""
    found: list[Prospect] = []
    if facts is None:
        return found
    for service in filter(whose.of, means.rulebook.services):
        found += prospects(means.rulebook, facts, whose.guest, service, now)
        await asyncio.sleep(0)
    return found


def _holders(records: Records, page: Page, recipient: str, wanted: Wanted) -> Sequence[str]:
    """Return one more than the page looks at, of people by name."""
    looked_at: set[str] = set()
    if wanted.has:
        looked_at.update(records.reach.holders(recipient, page.cursor, page.size + 1))
    if wanted.may:
        subjects = records.reach.subjects(page.cursor, page.size + 1)
        looked_at.update(subject.account for subject in subjects)
    return sorted(looked_at)[: page.size + 1]


def _following(page: Page, names: Sequence[str]) -> str:
    return names[page.size - 1] if len(names) > page.size else ""


def _person(
    records: Records, holder: str, guest: Guest | None = None
) -> Callable[[Recipient], Facts] | None:
    """Read somebody once, for the facts with any recipient; None for who has no account here."""
    subject = records.subjects.get(holder)
    if subject is None and guest is None:
        return None
    consents, preferences = records.consents.of(holder), records.preferences.of(holder)

    def with_recipient(recipient: Recipient) -> Facts:
        contracts = records.contracts.with_recipient(recipient.name)
        return Facts(recipient, subject, contracts, consents, preferences)

    return with_recipient


def _grounded(records: Records, holdings: Sequence[Holding]) -> Iterator[Holding]:
    """Add on what the last decision rested."""
    for holding in holdings:
        decision = records.decisions.get(holding.decision)
        yield replace(holding, grounds=decision.answer.grounds if decision else ())
