"""Reading: what filters find, how pages follow, and what is left when a party's keys are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, text

from runtime.event import Section, Trace
from runtime.fault import Fault
from runtime.testing import NOON
from services.audit.cases.prove_inclusion import ProveInclusion
from services.audit.domain.entry import Readability
from services.audit.domain.verification import included
from services.audit.domain.wanted import Wanted
from services.audit.store.tables import LOG, party_keys
from tests.committed import commitment
from tests.contract.audit.log import OFFICER, PERSON, Log, event

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", 1)


async def found(log: Log, wanted: Wanted, *, newest_first: bool = False) -> list[int]:
    """Indexes of all that match, page by page of three."""
    indexes: list[int] = []
    after: int | None = None
    more = True
    while more:
        page = await log.entries.matching(wanted, after=after, newest_first=newest_first, size=3)
        indexes += [entry.stored.index for entry in page.entries]
        after, more = page.cursor, page.cursor is not None
    return indexes


@pytest.fixture
async def filled(log: Log) -> Log:
    """Twelve entries of two people, an officer and two producers."""
    events = [
        event(1),
        event(2, account=OTHER, actor=OTHER),
        event(3, action="account:link:remove"),
        replace(event(4, action="account:session:begin"), trace=TRACE),
        replace(event(5), time=NOON + timedelta(hours=1)),
        replace(event(6), time=NOON + timedelta(hours=2)),
    ]
    await log.append(1, events)
    decisions = [
        event(11, action="sharing:decision:permit", fields={"recipient": "recipients/dhl"}),
        replace(event(12, action="sharing:decision:deny", account=OTHER, actor=""), trace=TRACE),
        replace(
            event(13, action="sharing:contract:activate", account="", actor=OFFICER),
            recipients=("recipients/dhl", "recipients/ups"),
            contracts=("contracts/c-1",),
            app="app/mi-store",
        ),
        event(14, action="sharing:contract:activate", actor=OFFICER, resource="contracts/c-1"),
        event(15, action="sharing:facts:load", account="", actor=""),
    ]
    await log.append(1, decisions, "sharing")
    return log


@pytest.mark.parametrize(
    ("wanted", "indexes"),
    [
        (Wanted(), list(range(11))),
        (Wanted(account=PERSON), [0, 2, 3, 4, 5, 6, 9]),
        (Wanted(account=OTHER), [1, 7]),
        (Wanted(actor=OFFICER), [8, 9]),
        (Wanted(actor=OFFICER, account=PERSON), [9]),
        (Wanted(actor=OTHER), [1]),
        (Wanted(account="accounts/nl-nobody"), []),
        (Wanted(account=PERSON, actor="accounts/nl-nobody"), []),
        (Wanted(action_prefix="account:link:"), [0, 1, 2, 4, 5]),
        (Wanted(action_prefix="sharing:contract:activate"), [8, 9]),
        (Wanted(action_prefix="sharing_"), []),
        (Wanted(trace_id=TRACE.trace_id), [3, 7]),
        (Wanted(start_time=NOON + timedelta(hours=1)), [4, 5]),
        (
            Wanted(start_time=NOON, end_time=NOON + timedelta(hours=2), account=PERSON),
            [0, 2, 3, 4, 6, 9],
        ),
        (Wanted(producer="sharing"), [6, 7, 8, 9, 10]),
        (Wanted(producer="portal"), []),
        (Wanted(app="app/mi-store"), [8]),
        (Wanted(app="app/mi-store", recipient="recipients/ups"), [8]),
        (Wanted(app="app/mi-store", recipient="recipients/dpd"), []),
        (Wanted(contract="contracts/c-1", outcome="success"), [8]),
        (Wanted(contract="recipients/ups"), []),
        (Wanted(outcome="failure"), []),
    ],
)
async def test_filters_find_what_matches_and_nothing_else(
    filled: Log, wanted: Wanted, indexes: list[int]
) -> None:
    assert await found(filled, wanted) == indexes
    assert await found(filled, wanted, newest_first=True) == indexes[::-1]


async def test_pages_stay_as_they_are_while_the_log_grows(filled: Log) -> None:
    first = await filled.entries.matching(Wanted(), after=None, newest_first=True, size=4)
    await filled.append(7, [event(n) for n in range(30, 40)])
    last = first.entries[-1].stored.index
    second = await filled.entries.matching(Wanted(), after=last, newest_first=True, size=4)
    assert [entry.stored.index for entry in (*first.entries, *second.entries)] == [
        *range(10, 2, -1)
    ]


async def test_a_page_holds_no_more_than_a_message(log: Log) -> None:
    for number in range(1, 26):
        await log.append(number, [event(number, fields={"text": "x" * 64_000})])
    page = await log.entries.matching(Wanted(), after=None, newest_first=False, size=200)
    assert page.cursor == 15
    assert len(page.entries) == 16
    assert await found(log, Wanted()) == list(range(25))


async def test_entries_are_got_by_index_and_by_event(filled: Log) -> None:
    by_index = await filled.entries.by_index(9)
    assert by_index == await filled.entries.by_event_id(f"{14:032x}")
    assert by_index.event == event(
        14, action="sharing:contract:activate", actor=OFFICER, resource="contracts/c-1"
    )
    for missing in (11, 2**62):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await filled.entries.by_index(missing)
    with pytest.raises(Fault, match="NOT_FOUND"):
        await filled.entries.by_event_id("0" * 32)


async def test_invariant_4_no_personal_data_lies_in_clear_in_either_database(
    filled: Log, tmp_path: Path
) -> None:
    marked = event(77, fields={"email": "lien@example.org"}, resource="orders/4711")
    await filled.append(7, [marked])
    needles = [b"lien@example.org", b"orders/4711", PERSON.encode(), OTHER.encode(), b"officer"]
    haystacks = _files(tmp_path)
    haystacks.append(repr(await filled.database.read(_dump)).encode())
    for needle in needles:
        for haystack in haystacks:
            assert needle not in haystack
            assert needle.hex().encode() not in haystack


async def test_invariant_8_destroying_keys_leaves_every_proof_valid_and_nothing_readable(
    filled: Log,
) -> None:
    (person,) = (await filled.keys.find([PERSON])).values()
    seen = await filled.tree.newest_checkpoint()
    await filled.key_database.write(
        lambda tx: tx.execute(delete(party_keys).where(party_keys.c.pseudonym == person.pseudonym))
    )
    assert await filled.check() == 11
    assert await filled.tree.newest_checkpoint() == seen
    entry = await filled.entries.by_index(0)
    assert entry.readability is Readability.NONE
    assert (entry.event.account, entry.event.actor, entry.event.fields) == ("", "", {})
    # Nobody can say any more which entries are the person's.
    assert await found(filled, Wanted(account=PERSON)) == []
    # What the officer did stays on record; for whom does not.
    entry = await filled.entries.by_index(9)
    assert entry.readability is Readability.PARTIAL
    assert (entry.event.actor, entry.event.account) == (OFFICER, "")


async def test_an_entry_about_several_people_is_found_through_each_and_opened_for_one(
    log: Log,
) -> None:
    batch = event(
        1,
        action="sharing:decision:batch",
        account="",
        actor="",
        sections=(
            Section(PERSON, {"answer": "permit"}),
            Section(OTHER, {"answer": "deny"}),
            Section(PERSON, {"answer": "gap"}),
        ),
    )
    await log.append(1, [batch, event(2), event(3, account=OTHER, actor="")], "sharing")
    assert await found(log, Wanted(account=PERSON)) == [0, 1]
    assert await found(log, Wanted(account=OTHER)) == [0, 2]
    assert (await log.entries.by_index(0)).event == batch
    page = await log.entries.matching(
        Wanted(account=OTHER, action_prefix="sharing:"), after=None, newest_first=True, size=3
    )
    (entry,) = page.entries
    assert entry.event.sections == (batch.sections[1],)
    assert entry.readability is Readability.FULL
    # Erased, one of them takes their own sections; the other is found and read as before.
    (person,) = (await log.keys.find([PERSON])).values()
    await log.key_database.write(
        lambda tx: tx.execute(delete(party_keys).where(party_keys.c.pseudonym == person.pseudonym))
    )
    entry = await log.entries.by_index(0)
    assert entry.event.sections == (Section(""), batch.sections[1], Section(""))
    assert entry.readability is Readability.PARTIAL
    assert await found(log, Wanted(account=OTHER)) == [0, 2]
    again = await log.append(1, [batch], "sharing")
    assert again.receipts[0].index == 0


async def test_after_erasure_a_repetition_is_known_and_makes_no_new_keys(filled: Log) -> None:
    await filled.key_database.write(lambda tx: tx.execute(delete(party_keys)))
    again = await filled.append(1, [event(1)])
    assert again.receipts[0].index == 0
    assert await filled.keys.find([PERSON]) == {}
    # A new entry about the same account begins under a new pseudonym.
    await filled.append(7, [event(40)])
    assert await found(filled, Wanted(account=PERSON)) == [11]


async def test_a_proof_shows_one_field_without_the_others(filled: Log) -> None:
    proof = await ProveInclusion(filled.tree).of(await filled.entries.by_event_id(f"{11:032x}"))
    stored = proof.entry.stored
    assert included(
        stored.index, proof.checkpoint.size, stored.leaf_hash, proof.path, proof.checkpoint.root
    )
    (shown,) = (o for o in proof.entry.openings if o.name == "recipient")
    expected = stored.sealed.sections[shown.section].commitments[shown.position]
    assert commitment(shown.salt, shown.name, shown.value) == expected


def _files(directory: Path) -> list[bytes]:
    """Everything on disk: databases, their write-ahead logs, keys. SQLite keeps text as it is."""
    return [path.read_bytes() for path in directory.iterdir()]


def _dump(tx: Connection) -> list[object]:
    return [
        tx.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608  our own names
        for table in LOG.tables
    ]
