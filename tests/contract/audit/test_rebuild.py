"""The database lost, the tiles left: the log is made again, and is the one that it was."""

from __future__ import annotations

import json
from itertools import count as numbers

import pytest

from runtime.db import Database
from runtime.process import NotReadyError
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.layout import ENTRIES, TilePath
from services.audit.domain.note import COSIGNATURE
from services.audit.domain.ports import Growth
from services.audit.settings import witness_name
from services.audit.store.log_keys import load_log_keys
from services.audit.store.note_key import NoteKey
from services.audit.store.refill import StoredRefill
from services.audit.store.sequencer_lock import sequencer_lock
from services.audit.store.tables import checkpoints, entries, outbox
from services.audit.store.witnessed import StoredWitnessed
from tests.contract.audit.log import ORIGIN, Log, event, running
from tests.contract.audit.recovering import Region, content, count, published_log


async def test_everything_is_again_as_it_was_up_to_what_was_published(region: Region) -> None:
    await published_log(region, 3, 300, 700)
    async with region.running() as there:
        await there.grow(20)  # and never published
    lost, settings = region.url, region.settings(region.fresh())
    checkpoint = await region.rebuild(settings)
    assert checkpoint.size == 700
    assert region.told[-1] == (700, 700)
    assert await content(settings.database, 700) == await content(lost, 700)
    assert await count(settings.database, entries) == 700
    assert await count(settings.key_database, outbox) == 1  # audit:log:rebuild, for the record
    # The producer sends the rest again, and the log goes on as one history.
    region.url = settings.database
    async with region.running() as there:
        there.log.seen.append(checkpoint)
        receipts = (await there.log.append(690, [event(n) for n in range(690, 721)])).receipts
        assert [receipt.index for receipt in receipts] == list(range(689, 720))
        await there.publish()
        assert await there.log.check(every=50) == 720


async def test_an_interrupted_rebuild_is_taken_up(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published_log(region, 5000)
    settings = region.settings(region.fresh())
    add, times = StoredRefill.add, numbers()

    async def fails(self: StoredRefill, growth: Growth) -> None:
        if next(times):
            raise OSError(28, "No space left on device")
        await add(self, growth)

    with monkeypatch.context() as patch:
        patch.setattr(StoredRefill, "add", fails)
        with pytest.raises(OSError, match="No space"):
            await region.rebuild(settings)
    assert await count(settings.database, entries) == 4096
    assert await count(settings.database, checkpoints) == 0
    half = Log.at(settings.database, region.directory)
    with pytest.raises(Exception, match="4096 entries are stored, and no checkpoint"):
        async with running(half):
            pass
    assert (await region.rebuild(settings)).size == 5000
    assert await content(settings.database, 5000) == await content(region.url, 5000)


@pytest.mark.parametrize("path", [TilePath(ENTRIES, 0), TilePath(ENTRIES, 1, 44)], ids=str)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_damaged_file_is_named_and_nothing_of_it_is_served(
    region: Region, path: TilePath
) -> None:
    await published_log(region, 300)
    file = region.tiles / str(path)
    whole = file.read_bytes()
    settings = region.settings(region.fresh())
    file.chmod(0o644)
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(NotReadyError, match=str(path)):
        await region.rebuild(settings)
    assert await count(settings.database, checkpoints) == 0
    file.write_bytes(whole)
    assert (await region.rebuild(settings)).size == 300


async def test_a_checkpoint_of_another_key_or_history_is_refused(region: Region) -> None:
    await published_log(region, 5, 9)
    settings = region.settings(region.fresh())
    history = region.tiles / "checkpoints.jsonl"
    lines = history.read_text().splitlines(keepends=True)
    forged = lines[-1].replace("/audit\\n9\\n", "/audit\\n8\\n")
    for wrong in (forged + lines[-1], lines[-1] + lines[0] + lines[-1]):
        history.write_text(wrong)
        with pytest.raises(NotReadyError, match=r"cannot be trusted|no history"):
            await region.rebuild(settings)
    keys = load_log_keys(region.directory / "log.key", ORIGIN)
    other = json.dumps(Checkpoint.sign(keys, 5, b"\5" * 32).note) + "\n"
    history.write_text(other + lines[-1])
    with pytest.raises(NotReadyError, match="of 5 entries is of another history"):
        await region.rebuild(settings)
    history.write_text(lines[-1] + lines[-1][:40])  # a torn line is passed over
    assert (await region.rebuild(settings)).size == 9


async def test_a_log_that_is_there_is_not_filled(region: Region) -> None:
    await published_log(region, 10)
    settings = region.settings()
    with pytest.raises(NotReadyError, match="holds a log of 10 entries"):
        await region.rebuild(settings)
    lock = sequencer_lock(settings.database)
    assert await lock.take()
    with pytest.raises(NotReadyError, match="is running"):
        await region.rebuild(settings)
    await lock.leave()
    (region.directory / "empty").mkdir()
    nothing = region.settings(region.fresh()).model_copy(
        update={"tile_directory": region.directory / "empty"}
    )
    with pytest.raises(NotReadyError, match="no checkpoint was ever published"):
        await region.rebuild(nothing)


async def test_a_witness_whose_database_was_lost_cosigns_no_more_with_its_key(
    region: Region,
) -> None:
    """Its port stays shut until its key is another."""
    await published_log(region, 3)
    path = region.directory / "witness.key"
    name = witness_name(region.settings().region)
    key = NoteKey.create(path, name, COSIGNATURE).key
    before, settings = region.settings(), region.settings(region.fresh())
    await region.rebuild(settings)
    for url, forgot in ((before.database, False), (settings.database, True)):
        database = Database(url)
        stored = StoredWitnessed(database, region.bench.clock)
        assert await stored.forgot(key) is forgot
        path.unlink()
        assert not await stored.forgot(NoteKey.create(path, name, COSIGNATURE).key)
        await database.close()
    path.write_text("torn")
    with pytest.raises(NotReadyError, match=r"witness\.key"):
        await region.rebuild(region.settings(region.fresh()))
