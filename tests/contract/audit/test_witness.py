"""A witness on each engine: what it cosigns of a log is one history, whoever asks at once."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from runtime.clock import SettableClock
from runtime.db import Database
from runtime.fault import Fault
from runtime.testing import NOON
from services.audit.cases.witness import Witness
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.cosignature import Cosigner
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.merkle import EMPTY_ROOT
from services.audit.domain.note import COSIGNATURE, open_note, sign_note
from services.audit.domain.witnessing import NotCosignedError, Presented, Why
from services.audit.store import LOG_MIGRATIONS
from services.audit.store.note_key import NoteKey
from services.audit.store.witnessed import StoredWitnessed
from tests.migrated import migrated
from tests.unit.audit.histories import History, new_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NL, IN = new_log("nl.accord.internal/audit"), new_log("in.accord.internal/audit")
RACING = [new_log(f"log-{n}.example") for n in range(12)]
STRANGER = new_log("sg.accord.internal/audit")
KEY = NoteKey("ru.accord.internal/witness", Ed25519PrivateKey.generate(), COSIGNATURE)
TRUE, FORK = History(NL), History(NL, "forged", since=5)


class Bench:
    """A witness of two logs, and as many processes of it as a test wants."""

    def __init__(self, url: str) -> None:
        migrated(url, LOG_MIGRATIONS)
        self.clock = SettableClock(NOON)
        self._url = url
        self._databases: list[Database] = []
        self.witness = self.another()

    def another(self) -> Witness:
        """Opens the same store once more."""
        self.database = Database(self._url)
        self._databases.append(self.database)
        known = {log.origin: KnownLog(log.origin, log.verifiers) for log in (NL, IN, *RACING)}
        return Witness(known, KEY, StoredWitnessed(self.database, self.clock), self.clock)

    async def refused(self, presented: Presented) -> tuple[Why, int]:
        with pytest.raises(NotCosignedError) as refusal:
            await self.witness.cosign(presented)
        return refusal.value.why, refusal.value.size

    async def newest(self, origin: str = NL.origin) -> str | None:
        return await self.witness.newest(hashlib.sha256(origin.encode()).hexdigest())

    async def close(self) -> None:
        for database in self._databases:
            await database.close()


@pytest.fixture
async def bench(database_url: str) -> AsyncIterator[Bench]:
    bench = Bench(database_url)
    yield bench
    await bench.close()


async def test_a_log_is_followed_from_its_beginning_on(bench: Bench) -> None:
    assert await bench.newest() is None
    for old, size in ((0, 1), (1, 3), (3, 3), (3, 8), (8, 300)):
        bench.clock.advance(timedelta(seconds=1))
        presented = TRUE.presented(old, size)
        line = await bench.witness.cosign(presented)
        (made,) = open_note(presented.note + line, [Cosigner(KEY)]).signatures
        assert made.signature.startswith(int(bench.clock.now().timestamp()).to_bytes(8))
        assert line == made.line
        newest = await bench.newest() or ""
        assert Checkpoint.read(newest, NL).size == size
        if size > old:  # the same tree again is cosigned at another time, and kept once
            kept = made
        assert open_note(newest, [Cosigner(KEY)]).signatures == (kept,)


async def test_one_log_says_nothing_of_another(bench: Bench) -> None:
    await bench.witness.cosign(TRUE.presented(0, 9))
    await bench.witness.cosign(History(IN).presented(0, 2))
    assert await bench.refused(History(IN).presented(9, 12)) == (Why.STALE, 2)
    assert await bench.newest(STRANGER.origin) is None


async def test_each_refusal_has_its_reason_and_changes_nothing(bench: Bench) -> None:
    await bench.witness.cosign(TRUE.presented(0, 5))
    before = await bench.newest()
    good = TRUE.presented(5, 9)
    signed, other = good.note.rpartition("\n\n")[2], FORK.presented(5, 9).note
    forged = sign_note(
        f"{NL.origin}\n9\n{'A' * 43}=\n", [NoteKey(NL.origin, Ed25519PrivateKey.generate())]
    )
    for presented, why in (
        (replace(good, note=good.note.removesuffix("\n")), Why.MALFORMED),
        (replace(good, note="no note"), Why.MALFORMED),
        (replace(good, note=good.note.replace("\n9\n", "\n09\n")), Why.MALFORMED),
        (replace(good, note=good.note.replace("\n9\n", "\n")), Why.MALFORMED),
        (History(STRANGER).presented(5, 9), Why.LOG_UNKNOWN),
        (replace(good, note=forged), Why.NOT_SIGNED),
        (replace(good, note=other.rpartition("\n\n")[0] + "\n\n" + signed), Why.NOT_SIGNED),
        (replace(good, note=good.note + "— nobody AAAA\n"), Why.NOT_SIGNED),
        (replace(TRUE.presented(5, 8), old_size=9), Why.SHRINKS),
        (TRUE.presented(0, 9), Why.STALE),
        (TRUE.presented(4, 9), Why.STALE),
        (TRUE.presented(6, 9), Why.STALE),
        (TRUE.presented(0, 4), Why.STALE),
        (replace(good, proof=()), Why.NOT_PROVEN),
        (replace(good, proof=good.proof[:-1]), Why.NOT_PROVEN),
        (replace(good, proof=(*good.proof, bytes(32))), Why.NOT_PROVEN),
        (replace(good, proof=(bytes(32), *good.proof[1:])), Why.NOT_PROVEN),
        (History(NL, "forged").presented(5, 9), Why.NOT_PROVEN),
        (History(NL, "forged").presented(5, 5), Why.FORKED),
        (replace(TRUE.presented(5, 5), proof=(bytes(32),)), Why.NOT_PROVEN),
    ):
        assert await bench.refused(presented) == (why, 5 if why is Why.STALE else 0)
    assert await bench.newest() == before
    await bench.witness.cosign(good)


async def test_of_an_unseen_log_everything_begins_with_nothing(bench: Bench) -> None:
    assert await bench.refused(TRUE.presented(3, 9)) == (Why.STALE, 0)
    padded = replace(TRUE.presented(0, 9), proof=(bytes(32),))
    assert await bench.refused(padded) == (Why.NOT_PROVEN, 0)
    empty = Checkpoint.sign(NL, 0, bytes(32))
    assert await bench.refused(Presented(0, (), empty.note)) == (Why.FORKED, 0)
    await bench.witness.cosign(Presented(0, (), Checkpoint.sign(NL, 0, EMPTY_ROOT).note))
    assert await bench.refused(Presented(0, (), empty.note)) == (Why.FORKED, 0)


@pytest.mark.parametrize("begun", [0, 3], ids=["from nothing", "from what both share"])
async def test_of_two_inconsistent_checkpoints_that_race_one_is_cosigned(
    bench: Bench, begun: int
) -> None:
    """However often they are tried, in one process and in two."""
    second = bench.another()
    for log in RACING:
        true, fork = History(log), History(log, "forged", since=begun)
        if begun:
            await bench.witness.cosign(true.presented(0, begun))
        outcomes = await asyncio.gather(
            bench.witness.cosign(true.presented(begun, 9)),
            second.cosign(fork.presented(begun, 9)),
            bench.witness.cosign(fork.presented(begun, 10)),
            second.cosign(true.presented(begun, 10)),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 1, outcomes
        for outcome in outcomes:
            assert isinstance(outcome, str | NotCosignedError | Fault)
            if isinstance(outcome, Fault):  # too many lost races: asked again, it is told why
                assert outcome.reason == "CONFLICT"


async def test_what_was_answered_is_durable(bench: Bench) -> None:
    line = await bench.witness.cosign(TRUE.presented(0, 9))
    reborn = bench.another()
    newest = await reborn.newest(hashlib.sha256(NL.origin.encode()).hexdigest())
    assert newest is not None
    assert newest.endswith(line)
    with pytest.raises(NotCosignedError) as refusal:
        await reborn.cosign(FORK.presented(5, 9))
    assert (refusal.value.why, refusal.value.size) == (Why.STALE, 9)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE witnessed SET size = 8",
        "UPDATE witnessed SET root = note_root",
        "UPDATE witnessed SET origin = 'another'",
        "DELETE FROM witnessed",
        "INSERT INTO witnessed SELECT * FROM witnessed",
        # A fork: a second tree that follows the same one.
        "INSERT INTO witnessed SELECT origin, 8, follows, root, note, 0 FROM witnessed",
        "INSERT INTO witnessed SELECT origin, 9, 9, root, note, 0 FROM witnessed",
        (
            "INSERT INTO witnessed SELECT * FROM witnessed WHERE true"
            " ON CONFLICT (origin, size) DO UPDATE SET size = 8"
        ),
    ],
)
async def test_the_database_itself_lets_nobody_turn_a_witness_back(
    bench: Bench, statement: str
) -> None:
    await bench.witness.cosign(TRUE.presented(0, 9))
    before = await bench.newest()
    blob = "'\\x00'::bytea" if bench.database.dialect == "postgresql" else "x'00'"
    with pytest.raises(DBAPIError):
        await bench.database.write(
            lambda tx: tx.execute(text(statement.replace("note_root", blob)))
        )
    assert await bench.newest() == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_replaces_no_row_of_a_witness(bench: Bench) -> None:
    await bench.witness.cosign(TRUE.presented(0, 9))
    replacement = "REPLACE INTO witnessed SELECT origin, 1, -1, root, note, 0 FROM witnessed"
    with pytest.raises(DBAPIError, match="at its end alone"):
        await bench.database.write(lambda tx: tx.execute(text(replacement)))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_postgresql_truncates_no_witness(bench: Bench) -> None:
    with pytest.raises(DBAPIError, match="inserts alone"):
        await bench.database.write(lambda tx: tx.execute(text("TRUNCATE witnessed")))
