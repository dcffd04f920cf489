"""What people and apps see of the log: what concerns themselves, and nothing of anybody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from runtime.call import Caller, Way
from runtime.clock import SettableClock
from runtime.event import Event, Section
from runtime.fault import Fault
from runtime.identity import parse
from runtime.testing import NOON
from services.audit.api.convert import to_entry, to_opening
from services.audit.cases.read_entries import Page
from services.audit.cases.read_own import ReadOwn
from services.audit.domain.entry import OpenedEntry
from services.audit.store.tables import party_keys
from services.sharing.cases.check_batch import _events
from services.sharing.domain.acting import Acting
from services.sharing.domain.decision import Decided, Decision, said
from services.sharing.domain.question import Answer, Question
from services.sharing.domain.vocabulary import Outcome
from tests.contract.audit.log import OFFICER, ORIGIN, PERSON, Log, event

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
APP = "spiffe://nl.accord.internal/app/mi-store"
RIVAL = "spiffe://nl.accord.internal/app/live-chat"
SECRET = "never-to-be-told"
ORDER = "instruments/i-1"
ASKED = {"purpose": "delivery", "categories": "contact.name", "relation": "order-4711"}


def decided(place: int, account: str, outcome: Outcome, **asked: Any) -> Decided:
    question = Question(
        account, "mi_store", "recipients/dhl", "delivery", ("contact.name",), "DE", **asked
    )
    answer = Answer(outcome, (), (), (), (), "")
    decision = Decision(f"decisions/nl-1-{place}", question, answer, NOON, "f" * 64, "", "", "t")
    return Decided(decision, b"", said(question, answer))


def batch(number: int, actor: str, *decisions: Decided) -> Event:
    """What sharing says of decisions that were asked for together."""
    (told,) = _events("decisions/nl-1", decisions, Acting(actor, Way()))
    return replace(told, event_id=f"{number:032x}")


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOON)


@pytest.fixture
def own(log: Log, clock: SettableClock) -> ReadOwn:
    return ReadOwn(ORIGIN, log.store, log.keys, clock)


@pytest.fixture
async def filled(log: Log) -> Log:
    """Eleven entries of two people, two apps and an officer."""
    permit = event(11, action="sharing:decision:permit", actor=APP, fields=ASKED)
    noted = {"purposes": "marketing", "note": SECRET, "indicator_name": SECRET}
    through = replace(event(21, action="sharing:consent:give", fields=noted), app="app/live-chat")
    events = [
        permit,  # 0
        event(12, action="sharing:decision:deny", account=OTHER, actor=APP, fields=ASKED),
        event(13, action="sharing:consent:revoke", actor=OFFICER, fields=noted),
        event(14, action="sharing:contract:activate", account="", actor=OFFICER),
        event(15, action="audit:hold:place", actor=OFFICER, fields={"reason": SECRET}),
        batch(  # 5
            16,
            RIVAL,
            decided(0, PERSON, Outcome.PERMIT, relation="mine"),
            decided(1, PERSON, Outcome.DENY),
            decided(2, PERSON, Outcome.DENY, instrument=ORDER),
            decided(3, OTHER, Outcome.DENY, relation=SECRET),
        ),
        event(17, action="sharing:explanation:read", actor=OFFICER, fields=ASKED),
        event(18, account=OTHER, actor=OTHER),
        event(  # 8
            19,
            action="audit:log:read",
            account="",
            actor="spiffe://nl.accord.internal/staff/auditor/ines",
            fields={"purpose": SECRET, "trace_id": "ab" * 16},
            sections=(Section(PERSON, {"asked": "account", "purpose": "complaint 12"}),),
        ),
        event(20, action="sharing:disclosure:record", actor=APP, fields={"records": "1"}),
        through,  # 10: a person answers on a page of the app
    ]
    await log.append(1, events, "sharing")
    return log


def shown(opened: OpenedEntry) -> str:
    """Everything that leaves, but for the bytes that were hashed, which name nobody."""
    entry = to_entry(opened)
    entry.ClearField("leaf")
    return f"{entry}{[to_opening(opening) for opening in opened.openings]}"


def app(spiffe_id: str) -> Caller:
    caller = parse(spiffe_id)
    assert caller is not None
    return caller


async def indexes(own: ReadOwn, who: str) -> list[int]:
    """All that a person or an app is shown, page by page of two."""
    found: list[int] = []
    after, more = None, True
    while more:
        if who.startswith("spiffe:"):
            page = await own.of_app(app(who), after=after, size=2)
        else:
            page = await own.of_person(who, after=after, size=2)
        found += [entry.stored.index for entry in page.entries]
        after, more = page.cursor, page.cursor is not None
    return found


async def test_people_and_apps_find_their_own_and_nothing_else(filled: Log, own: ReadOwn) -> None:
    assert filled
    # Not the hold (4): a legal hold is not told of here.
    assert await indexes(own, PERSON) == [10, 9, 8, 6, 5, 2, 0]
    assert await indexes(own, OTHER) == [7, 5, 1]
    assert await indexes(own, APP) == [9, 1, 0]
    assert await indexes(own, RIVAL) == [10, 5]
    assert await indexes(own, "accounts/nl-nobody") == []
    assert await indexes(own, "spiffe://nl.accord.internal/app/nobody") == []


async def test_what_is_not_ones_own_is_not_found_by_index_either(filled: Log, own: ReadOwn) -> None:
    size = (await filled.tree.newest_checkpoint()).size
    for who in (PERSON, OTHER, APP, RIVAL):
        visible = set(await indexes(own, who))

        async def one(index: int, who: str = who) -> OpenedEntry:
            if who.startswith("spiffe:"):
                return await own.one_of_app(app(who), index)
            return await own.one_of_person(who, index)

        for index in [*range(size), size, 2**62]:
            if index in visible:
                assert (await one(index)).stored.index == index
            else:
                with pytest.raises(Fault, match="NOT_FOUND"):
                    await one(index)


async def test_a_person_is_shown_themselves_and_neither_others_nor_staff(
    filled: Log, own: ReadOwn
) -> None:
    assert filled
    page = await own.of_person(PERSON, after=None, size=50)
    for opened in page.entries:
        text = shown(opened)
        for name in (OTHER, OFFICER, "ines", SECRET):
            assert name not in text, (opened.stored.index, name)
    by_index = {opened.stored.index: opened.event for opened in page.entries}
    assert (by_index[0].account, by_index[0].actor) == (PERSON, APP)
    assert by_index[0].fields["purpose"] == "delivery"
    assert (by_index[2].fields["purposes"], by_index[2].actor) == ("marketing", "")
    assert [section.fields.get("relation") for section in by_index[5].sections] == ["mine\n", None]
    # Who looked them up stays closed; that it was done, and why, is theirs to know.
    assert by_index[8].sections[0].fields["purpose"] == "complaint 12"
    assert by_index[8].fields == {}


async def test_an_app_is_shown_what_it_asked_and_not_about_whom(filled: Log, own: ReadOwn) -> None:
    assert filled
    for each in (APP, RIVAL):
        page = await own.of_app(app(each), after=None, size=50)
        for opened in page.entries:
            text = shown(opened)
            for name in (PERSON, OTHER, OFFICER, "order-4711", "mine", ORDER, SECRET):
                assert name not in text, (opened.stored.index, name)
            assert opened.event.actor in {each, ""}
            assert not {"@actor", "@on_behalf_of"} & {each.name for each in opened.openings}
    (_, asked) = (await own.of_app(app(RIVAL), after=None, size=50)).entries
    said = [section.fields for section in asked.event.sections]
    assert [[*fields] for fields in said] == [["decision"]] * 3
    lines = [line for fields in said for line in fields["decision"].split("\n")]
    what = "mi_store delivery recipients/dhl DE contact.name"
    answers = ["PERMIT", "DENY", "DENY", "DENY"]
    assert lines == [f"decisions/nl-1-{n}: {each}; ; {what}" for n, each in enumerate(answers)]
    permit = await own.one_of_app(app(APP), 0)
    assert permit.event.fields == {"purpose": "delivery", "categories": "contact.name"}


async def test_what_an_order_forbids_to_tell_is_told_on_the_day_after(
    log: Log, own: ReadOwn, clock: SettableClock
) -> None:
    tomorrow = (NOON + timedelta(days=1)).date().isoformat()
    order = {"kind": "court_order", "secret_until": tomorrow, "note": SECRET}
    under = ASKED | {"instrument": ORDER}
    events = [
        event(1, action="sharing:decision:permit", actor=APP, fields=ASKED),
        event(
            2,
            action="sharing:instrument:create",
            actor=OFFICER,
            resource=ORDER,
            fields=order,
        ),
        event(3, action="sharing:decision:permit", actor=APP, fields=under),
        event(4, action="sharing:disclosure:record", actor=APP, fields=under),
        batch(
            5,
            APP,
            decided(0, PERSON, Outcome.PERMIT),
            decided(1, PERSON, Outcome.PERMIT, instrument=ORDER),
        ),
        event(6, action="sharing:revocation:create", actor=OFFICER, fields={"cause": "x"}),
        event(7, action="sharing:explanation:read", actor=OFFICER, fields=ASKED),
        event(8, action="audit:log:read", fields={"purpose": "own"}),
        event(9, action="sharing:decision:read", actor=OFFICER, fields={"purpose": "complaint"}),
    ]
    await log.append(1, events, "sharing")
    assert await indexes(own, PERSON) == [7, 0]
    for index in (1, 2, 3, 4, 5, 6, 8):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await own.one_of_person(PERSON, index)
    clock.advance(timedelta(days=2))
    assert await indexes(own, PERSON) == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    read = await own.one_of_person(PERSON, 8)
    assert ("complaint" in shown(read), OFFICER in shown(read)) == (True, False)
    told = await own.one_of_person(PERSON, 1)
    assert "secret_until" not in told.event.fields
    assert SECRET not in shown(told)


async def test_who_is_staff_sees_that_they_acted_and_not_on_whom(log: Log, own: ReadOwn) -> None:
    staff = "accounts/nl-staffstaffstaffstaffstaffs"
    done = [
        event(1, action="audit:hold:place", actor=staff, fields={"reason": SECRET}),
        event(2, action="sharing:contract:activate", account="", actor=staff, resource=SECRET),
    ]
    await log.append(1, done, "sharing")
    page = await own.of_person(staff, after=None, size=50)
    assert [entry.event.action for entry in page.entries] == [
        "sharing:contract:activate",
        "audit:hold:place",
    ]
    for opened in page.entries:
        assert opened.event.actor == staff
        assert SECRET not in shown(opened)
        assert PERSON not in shown(opened)


async def test_of_an_erased_person_nothing_is_found(filled: Log, own: ReadOwn) -> None:
    (person,) = (await filled.keys.find([PERSON])).values()
    await filled.key_database.write(
        lambda tx: tx.execute(delete(party_keys).where(party_keys.c.pseudonym == person.pseudonym))
    )
    assert await indexes(own, PERSON) == []
    with pytest.raises(Fault, match="NOT_FOUND"):
        await own.one_of_person(PERSON, 0)
    assert await indexes(own, APP) == [9, 1, 0]  # the frame of what the app did remains its own


async def test_pages_go_on_past_what_is_not_shown(log: Log, own: ReadOwn) -> None:
    hidden = [event(n, action="audit:hold:place", actor=OFFICER) for n in range(2, 30)]
    await log.append(1, [event(1), *hidden, replace(event(30), outcome="ok")])
    assert await indexes(own, PERSON) == [29, 0]


@pytest.mark.parametrize("who", [PERSON, APP])
async def test_a_page_holds_no_more_than_a_message(log: Log, own: ReadOwn, who: str) -> None:
    large = {"purpose": "x" * 60_000}
    action = "sharing:decision:permit"
    for n in range(1, 41):
        await log.append(n, [event(n, action=action, actor=APP, fields=large)], "sharing")
    page, found = await page_of(own, who, None), list[int]()
    while page.cursor is not None:
        assert page.entries
        assert sum(len(entry.stored.leaf) for entry in page.entries) <= 1 << 20
        found += [entry.stored.index for entry in page.entries]
        page = await page_of(own, who, page.cursor)
    found += [entry.stored.index for entry in page.entries]
    assert found == [*range(39, -1, -1)]


async def page_of(own: ReadOwn, who: str, after: int | None) -> Page:
    if who == APP:
        return await own.of_app(app(who), after=after, size=200)
    return await own.of_person(who, after=after, size=200)
