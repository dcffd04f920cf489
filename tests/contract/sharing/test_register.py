"""The batch writer of decisions: many records in one commit, each answered when it is durable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from runtime.db import Database
from runtime.event import Event
from runtime.fault import Fault
from runtime.ids import new_account, ordered_id
from runtime.testing import NOON
from services.sharing.api.codec import ProtoDecisions
from services.sharing.domain.decision import Decision, Record
from services.sharing.domain.question import Answer, Finding, Ground, Question
from services.sharing.domain.records import Guest
from services.sharing.domain.vocabulary import Basis, Obligation, Outcome, Reason
from services.sharing.store import register as registers
from services.sharing.store.records import MIGRATIONS, SqlStore
from services.sharing.store.register import Register
from tests.migrated import migrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CODEC = ProtoDecisions()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrated(database_url, MIGRATIONS)
    database = Database(database_url)
    yield database
    await database.close()


def decision(**more: Any) -> Decision:
    asked = Question(
        new_account("nl"), "mi_store", "recipients/dhl", "delivery", ("contact.name",), "DE", "o-1"
    )
    ground = Ground(("contact.name",), "mi-store@2025-05-20 §4.1.3", Basis.CONTRACT)
    duties = (Obligation.RECORD_DISCLOSURE,)
    granted = Answer(Outcome.PERMIT, (), ("contact.name",), duties, (ground,), "contracts/c/v/1")
    name = f"decisions/nl-{ordered_id(NOON)}"
    usual: dict[str, Any] = {"name": name, "question": asked, "answer": granted, "time": NOON}
    rest = {"rulebook_digest": "f" * 64, "trace_id": "a" * 32, "asker": "mi-store", "token": "t"}
    return Decision(**usual | rest | more)


def record(*decisions: Decision, action: str = "sharing:decision:permit") -> Record:
    event = Event(action, "permit", NOON, decisions[0].question.account)
    decided = [CODEC.encode(each) for each in decisions]
    return Record(decisions[0].name, "mi-store", decided, (event,))


async def found(store: SqlStore, name: str) -> Decision | None:
    return await store.read(lambda records: records.decisions.get(name))


def test_what_is_kept_reads_as_it_was() -> None:
    missing = Finding(Reason.NOT_IN_NOTICE, ("house §a", "house §b"), ("contact.name",))
    refused = Answer(Outcome.DENY, (missing,), (), (), (), "")
    guest = Question(
        "", "live_chat", "recipients/x", "chat_response", ("chat.text",), "NL",
        subprocessor="s", instrument="instruments/1", signed_in=True, de_identified=True,
        guest=Guest("NL", "s-1"),
    )  # fmt: skip
    for each in (decision(), decision(answer=refused, question=guest)):
        assert CODEC.decode(CODEC.encode(each).body) == each


async def test_records_that_wait_share_a_commit_and_all_are_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, store = Register(database, CODEC), SqlStore(database, CODEC)
    commits: list[int] = []
    write = database.write

    async def counted(unit: Any) -> Any:
        commits.append(1)
        return await write(unit)

    monkeypatch.setattr(database, "write", counted)
    kept = [decision() for _ in range(150)]
    await asyncio.gather(*(register.keep(record(each)) for each in kept))
    assert len(commits) == 1
    for each in kept[:3] + kept[-3:]:
        assert await found(store, each.name) == each


async def test_nobody_is_answered_when_the_commit_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, store = Register(database, CODEC), SqlStore(database, CODEC)

    async def broken(_unit: Any) -> None:
        raise Fault("UNAVAILABLE", "the disk is gone")

    kept = [decision() for _ in range(3)]
    with monkeypatch.context() as patched:
        patched.setattr(database, "write", broken)
        results = await asyncio.gather(
            *(register.keep(record(each)) for each in kept), return_exceptions=True
        )
    assert [getattr(result, "reason", "") for result in results] == ["UNAVAILABLE"] * 3
    await register.keep(record(kept[0]))  # it goes on afterwards
    assert await found(store, kept[0].name) == kept[0]
    assert await found(store, kept[1].name) is None


async def test_an_event_that_the_log_would_refuse_fails_its_own_record_alone(
    database: Database,
) -> None:
    register = Register(database, CODEC)
    results = await asyncio.gather(
        register.keep(record(decision())),
        register.keep(record(decision(), action="not an action")),
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], ValueError)


async def test_more_than_can_wait_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register(database, CODEC)
    monkeypatch.setattr(registers, "_MOST_WAITING", 2)
    results = await asyncio.gather(
        *(register.keep(record(decision())) for _ in range(5)), return_exceptions=True
    )
    assert [getattr(result, "reason", None) for result in results] == [
        None,
        None,
        *["OVERLOADED"] * 3,
    ]


async def test_one_who_gives_up_takes_nothing_from_the_others(database: Database) -> None:
    register, store = Register(database, CODEC), SqlStore(database, CODEC)
    kept = [decision(), decision()]
    tasks = [asyncio.create_task(register.keep(record(each))) for each in kept]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await tasks[1]
    assert await found(store, kept[1].name) == kept[1]
