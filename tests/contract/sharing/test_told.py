"""Through random lives of one person's consents, whoever received data is told as often as it ends.

A model beside the service says of each decision whether the yes that it rests on still counts, in
the plainest words; each time that it counts no longer there is a notice, and never another.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from runtime.call import Way
from runtime.clock import SettableClock
from runtime.db import Database
from runtime.ids import new_account
from services.sharing.api.codec import ProtoDecisions
from services.sharing.cases import tell_recipients
from services.sharing.cases.answer_consent import Said, answer_consent
from services.sharing.cases.choose import Choice, choose
from services.sharing.cases.lift_choice import lift_choice
from services.sharing.cases.means import Means
from services.sharing.cases.step_consent import step_consent
from services.sharing.cases.tell_ends import tell_ends
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.consent_steps import ConsentStep
from services.sharing.domain.disclosure import Disclosure
from services.sharing.domain.ports import Records, Request
from services.sharing.domain.records import Indication, PreferenceKind, Recipient, Scope
from services.sharing.domain.revocation import NoticeRules
from services.sharing.store.records import MIGRATIONS, SqlStore
from services.sharing.store.rulebook import load_rulebook
from services.sharing.store.tables import revocation_decisions, revocation_notices
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KIND = "service_provider.advertising"
RECIPIENTS = ["recipients/one", "recipients/two"]
SCOPES = [(KIND, "contact"), (RECIPIENTS[0], "contact.email"), (KIND, "contact.phone")]
CATEGORIES = ["contact.email", "contact.phone"]
ACTING = Acting("spiffe://nl.accord.internal/svc/portal", Way("svc/portal"))


@dataclass
class Spoken:
    """A consent as the model has it; in the order of the answers."""

    name: str
    to: str
    category: str
    yes: bool
    expires: datetime | None
    withdrawn: bool = False

    def covers(self, to: str, category: str) -> bool:
        return self.to in {KIND, to} and category.startswith(self.category)

    def ended(self, now: datetime) -> str:
        if not self.yes:
            return "consent_refused"
        if self.withdrawn:
            return "consent_withdrawn"
        return "consent_expired" if self.expires and self.expires <= now else ""


@dataclass
class Sent:
    """A decision that permitted something, and when it was said that this was sent."""

    name: str
    to: str
    category: str
    consent: Spoken
    recorded: list[datetime] = field(default_factory=list)
    stopped: datetime | None = None  # when it was last told that sharing stopped


@dataclass
class Life:
    """One person, to whom things happen; `told` is what the notices have to be."""

    means: Means
    database: Database
    clock: SettableClock
    holder: str = field(default_factory=lambda: new_account("nl"))
    consents: list[Spoken] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    stops: dict[str, str] = field(default_factory=dict)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    numbers: Any = field(default_factory=itertools.count)

    # --- what happens -----------------------------------------------------------------------------

    async def give(self, pick: int, days: int) -> None:
        await self._answer(ConsentStep.GIVE, *SCOPES[pick % len(SCOPES)], days)

    async def refuse(self, pick: int, _: int) -> None:
        await self._answer(ConsentStep.REFUSE, *SCOPES[pick % len(SCOPES)], 0)

    async def renew(self, pick: int, days: int) -> None:
        known = [each for each in self.consents if each.yes and not each.withdrawn]
        if known:
            consent = known[pick % len(known)]
            expires = self._expires(days)
            await self._said(ConsentStep.GIVE, consent.name, expires)
            self.consents.remove(consent)
            self.consents.append(consent)
            consent.expires = expires

    async def withdraw(self, pick: int, _: int) -> None:
        known = [each for each in self.consents if not each.ended(self.clock.now())]
        if known:
            consent = known[pick % len(known)]
            await step_consent(
                self.means,
                _request(),
                holder=self.holder,
                name=consent.name,
                step=ConsentStep.WITHDRAW,
                indication=Indication(),
                acting=ACTING,
            )
            consent.withdrawn = True

    async def decide(self, pick: int, other: int) -> None:
        """Permit what a consent lets be sent, and say at once that it was, or later."""
        to, category = RECIPIENTS[pick % 2], CATEGORIES[other % 2]
        decides = self._decides(to, category)
        if decides and not decides.ended(self.clock.now()):
            self.sent.append(Sent(f"decisions/nl-{uuid.uuid4().hex}", to, category, decides))
            if pick < 3:
                await self.record(len(self.sent) - 1, 0)

    async def record(self, pick: int, _: int) -> None:
        if not self.sent:
            return
        now, sent = self.clock.now(), self.sent[pick % len(self.sent)]
        disclosure = Disclosure(
            name=f"disclosures/nl-{uuid.uuid4().hex}",
            decision=sent.name,
            holder=self.holder,
            recipient=sent.to,
            service="mi_store",
            purpose="direct_marketing",
            categories=(sent.category,),
            consents={sent.consent.name: (sent.category,)},
            instrument="",
            records=1,
            time=now,
            recorded=now,
            late=False,
            sender="mi-store",
        )

        def unit(records: Records) -> None:
            number = records.disclosures.add(disclosure)
            Revoking(self.means, records, now, ACTING).disclosed(disclosure, number)

        await self.means.store.write(unit)
        sent.recorded.append(now)
        cause = self._why(sent, now)
        if cause:
            self.told[sent.name, cause] += 1
        if sent.to in self.stops and cause in {"", "consent_expired"}:
            self.told[sent.name, "sharing_stopped"] += 1
            sent.stopped = now

    async def stop(self, pick: int, _: int) -> None:
        to, now = RECIPIENTS[pick % 2], self.clock.now()
        if to in self.stops:
            name = self.stops.pop(to)
            await lift_choice(
                self.means, _request(), holder=self.holder, name=name, app="", acting=ACTING
            )
            return
        choice = Choice(PreferenceKind.STOP_SHARING_WITH, "recipient", to)
        answer = await choose(
            self.means, _request(), holder=self.holder, choice=choice, acting=ACTING
        )
        self.stops[to] = answer.decode()
        for sent in self.sent:
            if sent.to == to and any(not sent.stopped or sent.stopped < r for r in sent.recorded):
                self.told[sent.name, "sharing_stopped"] += 1
                sent.stopped = now

    async def wait(self, days: int, _: int) -> None:
        """Let time pass; at each moment at which anything runs out, see what that ends."""
        begun, ends = self.clock.now(), self.clock.now() + (days % 3 + 1) * DAY
        moments = {each.expires for each in self.consents if each.expires}
        for moment in sorted(each for each in moments if begun < each <= ends):
            self._end(
                {each.name: self._why(each, moment - DAY / 10**6) for each in self.sent}, moment
            )
        self.clock.set(ends)

    # --- what the model makes of it ---------------------------------------------------------------

    async def happen(self, what: str, pick: int, other: int) -> None:
        self.clock.advance(timedelta(minutes=1))
        before = {each.name: self._why(each, self.clock.now()) for each in self.sent}
        await getattr(self, what)(pick, other)
        if what in {"give", "refuse", "renew", "withdraw"}:
            self._end(before, self.clock.now())
        while await tell_ends(self.means):
            pass
        assert await self._notices() == self.told, what

    def _end(self, before: dict[str, str], now: datetime) -> None:
        for sent in self.sent:
            cause = self._why(sent, now)
            if sent.recorded and cause and cause != before[sent.name]:
                self.told[sent.name, cause] += 1

    def _why(self, sent: Sent, now: datetime) -> str:
        decides = self._decides(sent.to, sent.category)
        return sent.consent.ended(now) or (decides.ended(now) if decides else "")

    def _decides(self, to: str, category: str) -> Spoken | None:
        return next((each for each in reversed(self.consents) if each.covers(to, category)), None)

    async def _notices(self) -> Counter[tuple[str, str]]:
        query = (
            select(revocation_decisions.c.decision, revocation_notices.c.cause)
            .join(revocation_notices, revocation_notices.c.ordinal == revocation_decisions.c.notice)
            .where(revocation_notices.c.holder == self.holder)
        )
        rows = await self.database.read(lambda tx: tx.execute(query).all())
        return Counter((row.decision, row.cause) for row in rows)

    # --- how it is said to the service ------------------------------------------------------------

    async def _answer(self, step: ConsentStep, to: str, category: str, days: int) -> None:
        scope = Scope("", frozenset({"direct_marketing"}), frozenset({category}), to)
        expires = self._expires(days)
        name = await self._said(step, scope, expires)
        self.consents.append(Spoken(name, to, category, step is ConsentStep.GIVE, expires))

    def _expires(self, days: int) -> datetime | None:
        """None, or one of few moments: several consents run out at one."""
        return NOW + (((self.clock.now() - NOW) // DAY) + days) * DAY if days else None

    async def _said(self, step: ConsentStep, asked: Scope | str, expires: datetime | None) -> str:
        said = Said(step, asked, expires, "mi-store@2025-05-20", "en", Indication())
        answer = await answer_consent(
            self.means, _request(), holder=self.holder, said=said, acting=ACTING
        )
        return answer.decode()


def _request() -> Request[Any]:
    return Request("test", str(uuid.uuid4()), b"", lambda said: said.name.encode())


@pytest.fixture
async def world(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Means, Database]]:
    monkeypatch.setattr(tell_recipients, "MOST_DECISIONS", 2)
    migrated(database_url, MIGRATIONS)
    database, codec, none = Database(database_url), ProtoDecisions(), Any
    nothing: Any = none
    means = Means(
        SqlStore(database, codec),
        nothing,
        nothing,
        codec,
        nothing,
        load_rulebook(),
        SettableClock(NOW),
        "nl",
        nothing,
        nothing,
        NoticeRules(72),
        nothing,
    )

    def unit(records: Records) -> None:
        for name in RECIPIENTS:
            records.recipients.add(Recipient(name, name, KIND, "NL", NOW))

    await means.store.write(unit)
    yield means, database
    await database.close()


WHAT = ["give", "give", "renew", "withdraw", "refuse", "decide", "decide", "record", "stop", "wait"]
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 5), st.integers(0, 3)), min_size=8, max_size=40
)
SENT = [("decide", pick, other) for pick in range(5) for other in range(2)]


# Two that override an older one and run out at one moment, a renewal, and words that come late.
@example(
    [
        ("give", 0, 0),
        *SENT,
        ("give", 2, 1),
        ("give", 1, 1),
        *SENT,
        ("wait", 1, 0),
        ("record", 3, 0),
        ("record", 9, 0),
        ("renew", 1, 2),
        ("stop", 0, 0),
        ("wait", 2, 0),
        ("stop", 0, 0),
        ("record", 4, 0),
        ("stop", 0, 0),
        ("withdraw", 0, 0),
    ]
)
@given(STEPS)
@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_each_end_is_told_once_through_random_lives(
    world: tuple[Means, Database], steps: list[tuple[str, int, int]]
) -> None:
    means, database = world
    assert isinstance(means.clock, SettableClock)
    means.clock.set(NOW)
    life = Life(means, database, means.clock)
    for what, pick, other in steps:
        await life.happen(what, pick, other)
