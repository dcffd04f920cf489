"""Backup and restore, each by its one command: verified by the log's own proof."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.db import Database
from runtime.process import NotReadyError
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.note import sign_note
from services.audit.store.key_encryption import create_key
from services.audit.store.note_key import NoteKey
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.party_keys import StoredKeys
from services.audit.store.tables import entries, outbox, party_keys
from tests.contract.audit.log import ORIGIN, PERSON, Log, event, said
from tests.contract.audit.recovering import Region, content, count, published_log
from tests.contract.audit.stranger import walk


async def test_a_restored_backup_is_the_log_that_it_was_and_can_be_read(region: Region) -> None:
    await published_log(region, 10, 300)
    lost = region.settings()
    assert (await region.back_up(lost)).size == 300
    shutil.rmtree(region.tiles)
    region.tiles.mkdir()
    settings = region.settings(region.fresh(), "restored.db")
    assert (await region.restore(settings)).size == 300
    assert region.told[-1] == (300, 300)
    assert await content(settings.database, 300) == await content(lost.database, 300)
    assert await count(settings.key_database, party_keys) == await count(
        lost.key_database, party_keys
    )
    shutil.copyfile(region.directory / "restored.db", region.directory / "keys.db")
    region.url = settings.database
    async with region.running() as there:
        found = await there.log.keys.find([PERSON])
        assert len(found) == 1
        assert (await there.read()).size == 300
        await there.log.append(301, [event(301)])
        await there.publish()


async def test_a_backup_is_a_log_as_any_reader_knows_it_and_grows_by_what_is_new(
    region: Region,
) -> None:
    await published_log(region, 10, 300)
    settings = region.settings()
    await region.back_up(settings)
    log = region.directory / "backup" / "log"

    async def fetch(path: str) -> bytes:
        return (log / path).read_bytes()

    before = {path: path.stat().st_mtime_ns for path in log.rglob("tile/**/000")}
    async with region.running() as there:
        await there.grow(300)
        await there.publish()
    assert (await region.back_up(settings)).size == 600
    head, leaves = await walk(fetch, region.vkey)
    assert (head.size, len(leaves)) == (600, 600)
    assert before
    assert {path: path.stat().st_mtime_ns for path in before} == before
    secrets = {"log.key", *(path.name for path in region.directory.glob("*.kek"))}
    backup = region.directory / "backup"
    assert not secrets & {path.name for path in backup.rglob("*")}
    for keys in (backup / "keys").iterdir():
        assert keys.stat().st_mode & 0o077 == 0
        assert PERSON not in keys.read_text()


async def test_backups_of_keys_live_for_thirty_days(region: Region) -> None:
    await published_log(region, 3)
    settings = region.settings()
    for _ in range(3):
        await region.back_up(settings)
        region.bench.clock.advance(timedelta(days=20))
    keys = sorted((region.directory / "backup" / "keys").iterdir())
    assert len(keys) == 2
    region.bench.clock.advance(timedelta(days=20))
    with pytest.raises(NotReadyError, match="older than 30 days"):
        await region.restore(region.settings(region.fresh(), "restored.db"))


async def test_an_older_backup_beside_a_newer_checkpoint_is_refused(region: Region) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    async with region.running() as there:
        await there.grow(10)
        await there.publish()
    newer = (region.tiles / "checkpoint").read_text()
    settings = region.settings(region.fresh(), "restored.db")
    shutil.rmtree(region.tiles)
    region.tiles.mkdir()
    with pytest.raises(NotReadyError, match="checkpoint of 20 was published"):
        await region.restore(settings, newer)
    assert await count(settings.key_database, party_keys) == 0
    older = json.loads(
        (region.directory / "backup" / "log" / "checkpoints.jsonl").read_text().splitlines()[0]
    )
    assert (await region.restore(settings, older)).size == 10


async def test_a_tile_directory_that_goes_on_where_the_backup_ends_is_kept(
    region: Region,
) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    async with region.running() as there:
        await there.grow(10)
        await there.publish()
    lost = region.url
    settings = region.settings(region.fresh(), "restored.db")
    assert (await region.restore(settings, (region.tiles / "checkpoint").read_text())).size == 20
    assert await content(settings.database, 20) == await content(lost, 20)
    assert await count(settings.key_database, party_keys) > 0
    other = Region(region.bench, region.fresh(), region.fresh)
    for each in ("tiles", "log.key", "log.vkey", "keys.db"):
        (region.directory / each).rename(region.directory / f"{each}-before")
    other.tiles.mkdir()
    (region.directory / "2026-06.kek").unlink()
    await published_log(other, 30)
    with pytest.raises(NotReadyError, match=r"cannot be trusted"):
        await other.restore(other.settings(other.fresh(), "another.db"))


async def test_a_second_history_under_the_same_key_is_not_mixed_with_the_first(
    region: Region,
) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    region.tiles.rename(region.directory / "first")
    region.tiles.mkdir()
    fork = Region(region.bench, region.fresh(), region.fresh)
    settings = fork.settings()
    async with fork.running() as there:  # seals anew: other bytes, the same key
        for count_ in (5, 15):
            await there.grow(count_)
            await there.publish()
    with pytest.raises(NotReadyError, match="different histories"):
        await fork.back_up(settings)
    with pytest.raises(NotReadyError, match="different histories"):
        await fork.restore(fork.settings(fork.fresh()))


async def test_a_checkpoint_of_another_history_is_refused(region: Region) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    log = Log.at(region.url, region.directory)
    other = Checkpoint.sign(log.signer, 7, b"\7" * 32)
    await log.close()
    settings = region.settings(region.fresh(), "restored.db")
    with pytest.raises(NotReadyError, match="different histories"):
        await region.restore(settings, other.note)


async def test_a_backup_that_is_damaged_or_of_another_key_is_refused(region: Region) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    shutil.rmtree(region.tiles)
    region.tiles.mkdir()
    settings = region.settings(region.fresh(), "restored.db")
    bundle = region.directory / "backup" / "log" / "tile" / "entries" / "000.p" / "10"
    whole = bundle.read_bytes()
    bundle.chmod(0o644)
    bundle.write_bytes(whole[:-1] + b"?")
    with pytest.raises(NotReadyError, match=r"tile/entries/000.p/10: entry 9 "):
        await region.restore(settings)
    assert await count(settings.database, entries) == 0
    bundle.write_bytes(whole)
    vkey = region.directory / "log.vkey"
    pinned = vkey.read_text()
    vkey.write_text(pinned.replace("+A", "+B", 1))
    with pytest.raises(NotReadyError, match="pinned key"):
        await region.restore(settings)
    vkey.write_text(pinned)
    keys = next((region.directory / "backup" / "keys").iterdir())
    text = keys.read_text()
    keys.write_text(text[: len(text) // 2])
    again = region.settings(region.fresh(), "restored-again.db")
    with pytest.raises(NotReadyError, match="torn or damaged"):
        await region.restore(again)
    keys.write_text(text)
    assert (await region.restore(again)).size == 10


async def test_what_audit_had_to_say_is_not_lost_with_its_keys(region: Region) -> None:
    await published_log(region, 10)
    settings = region.settings()
    await region.rebuild(region.settings(region.fresh()))  # which is put on record
    assert await count(settings.key_database, outbox) == 1
    await region.back_up(settings)
    restored = region.settings(region.fresh(), "restored.db")
    await region.restore(restored)
    assert await count(restored.key_database, outbox) == 2  # and the restore


async def test_what_audit_had_to_say_names_nobody_in_a_backup(region: Region) -> None:
    await published_log(region, 3)
    settings = region.settings()
    database = Database(settings.key_database)
    about = event(7, action="audit:log:read", fields={"asked": PERSON})
    await StoredOwnEvents(database, StoredKeys(database, region.directory)).add([about])
    await database.close()
    for path in region.directory.glob("keys.db*"):
        assert PERSON.encode() not in path.read_bytes()
    await region.back_up(settings)
    (keys,) = (region.directory / "backup" / "keys").iterdir()
    kept = [value for values in _values(keys) for value in values]
    assert kept
    assert not [value for value in kept if PERSON.encode() in value]
    shutil.rmtree(region.tiles)
    region.tiles.mkdir()
    restored = region.settings(region.fresh(), "restored.db")
    await region.restore(restored)
    database = Database(restored.key_database)
    assert PERSON in {f.value for e in await said(database, region.directory) for f in e.fields}
    await database.close()
    # Without the key that it was taken under it says nothing, and nothing is served.
    create_key(region.directory, "2026-07")
    (region.directory / "2026-06.kek").unlink()
    with pytest.raises(NotReadyError, match="wrapped under 2026-06, whose"):
        await region.restore(region.settings(region.fresh(), "closed.db"))


async def test_what_somebody_wrote_into_a_backup_is_not_put_back(region: Region) -> None:
    await published_log(region, 10)
    await region.back_up(region.settings())
    (keys,) = (region.directory / "backup" / "keys").iterdir()
    whole = keys.read_bytes().splitlines(keepends=True)
    row = json.dumps(["keks", {"month": "2026-05", "destroyed": None}])
    forged = [*whole[:-1], f"{row}\n".encode()]
    ends = [
        whole[-1],  # of what was there before
        json.dumps(
            {"rows": len(forged) - 1, "sha256": hashlib.sha256(b"".join(forged)).hexdigest()}
        ).encode(),
        _note_of_another_key(region, forged),
    ]
    for at, end in enumerate(ends):
        keys.write_bytes(b"".join((*forged, end)))
        settings = region.settings(region.fresh(), f"restored-{at}.db")
        with pytest.raises(NotReadyError, match=r"torn or damaged|not of the log's key"):
            await region.restore(settings)
        assert await count(settings.key_database, party_keys) == 0
    keys.write_bytes(b"".join(whole))
    later = region.bench.clock.now() + timedelta(seconds=1)
    keys.rename(keys.with_name(f"{later:%Y-%m-%dT%H%M%SZ}.jsonl"))
    region.bench.clock.advance(timedelta(days=1))
    with pytest.raises(NotReadyError, match="its name says"):
        await region.restore(region.settings(region.fresh(), "renamed.db"))


async def test_a_backup_of_a_time_to_come_is_refused_and_goes_with_the_next(
    region: Region,
) -> None:
    await published_log(region, 3)
    region.bench.clock.advance(timedelta(days=400))
    await region.back_up(region.settings())
    region.bench.clock.advance(-timedelta(days=400))
    with pytest.raises(NotReadyError, match="time to come"):
        await region.restore(region.settings(region.fresh(), "restored.db"))
    await region.back_up(region.settings())
    (left,) = (region.directory / "backup" / "keys").iterdir()
    assert left.stem == f"{region.bench.clock.now():%Y-%m-%dT%H%M%SZ}"


def _values(keys: Path) -> Iterator[list[bytes]]:
    """What the rows of the outbox say in a backup."""
    for line in keys.read_text().splitlines()[1:-1]:
        name, row = json.loads(line)
        if name == "outbox":
            yield [base64.b64decode(v["bytes"]) for v in row.values() if isinstance(v, dict)]


def _note_of_another_key(region: Region, lines: list[bytes]) -> bytes:
    (region.directory / "other").mkdir()
    key = NoteKey.create(region.directory / "other" / "log.key", ORIGIN)
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    text = f"accord audit backup of keys\n{ORIGIN}\n{len(lines) - 1}\n{digest}\n"
    return json.dumps({"note": sign_note(text, [key])}).encode()


async def test_a_key_database_in_use_is_kept(region: Region) -> None:
    await published_log(region, 10)
    settings = region.settings()
    await region.back_up(settings)
    shutil.rmtree(region.directory / "backup" / "keys")
    rows = await count(settings.key_database, party_keys)
    assert (await region.restore(region.settings(region.fresh()))).size == 10
    assert await count(settings.key_database, party_keys) == rows
