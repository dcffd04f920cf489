"""What docs/operations.md says to type when something is lost, typed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from services.audit.store.key_encryption import create_key
from services.audit.store.sequencer_lock import sequencer_lock
from services.audit.store.tables import entries
from tests.contract.audit.recovering import Region, content, count, published_log

ROOT = Path(__file__).parents[3]
PLACES = {"/var/backups/accord": "backup", "pinned.vkey": "log.vkey"}


def commands(heading: str, language: str = "sh") -> list[str]:
    """The code blocks of a section."""
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def environment(region: Region, url: str, keys: str) -> Mapping[str, str]:
    """The settings of a service that is not there any more, before anything is migrated."""
    settings = region.settings().model_dump(exclude_defaults=True)
    told = settings | {
        "database_url": url,
        "key_database_url": f"sqlite:///{region.directory / keys}",
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    python = ":".join(str(ROOT / each) for each in (".", "gen", "sdk"))
    named = {f"ACCORD_{name.upper()}": str(value) for name, value in told.items()}
    return named | {"PATH": path, "PYTHONPATH": python, "PYTHONWARNINGS": "error"}


async def typed(block: str, region: Region, told: Mapping[str, str]) -> str:
    """Types a block into a shell; returns what it printed."""
    for place, here in PLACES.items():
        block = block.replace(place, str(region.directory / here))
    shell = await asyncio.create_subprocess_exec(
        "bash",
        *("-euo", "pipefail", "-c", block),
        env=dict(told),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await shell.communicate()
    assert shell.returncode == 0, errors.decode()
    return out.decode()


@pytest.mark.timeout(180)
async def test_a_lost_database_is_rebuilt_as_it_is_written(region: Region) -> None:
    await published_log(region, 30)
    told = environment(region, region.fresh(), "keys.db")
    (rebuild,) = commands("When the log's database is lost")
    printed = await typed(rebuild, region, told)
    assert printed.startswith("30 entries, verified against this checkpoint:\nnl.accord.internal/")
    assert await content(told["ACCORD_DATABASE_URL"], 30) == await content(region.url, 30)


@pytest.mark.timeout(180)
async def test_a_backup_is_taken_and_put_back_as_it_is_written(region: Region) -> None:
    await published_log(region, 30)
    backup, restore = commands("Backup and restore")
    await typed(backup, region, environment(region, region.url, "keys.db"))
    told = environment(region, region.fresh(), "restored.db")
    shutil.rmtree(region.tiles)
    region.tiles.mkdir()
    assert "30 entries, verified" in await typed(restore, region, told)
    assert await count(told["ACCORD_DATABASE_URL"], entries) == 30


@pytest.mark.timeout(180)
async def test_a_month_of_erasures_is_ended_as_it_is_written(region: Region) -> None:
    await published_log(region, 30)
    (kek,) = region.directory.glob("*.kek")
    create_key(region.directory, "2099-01")
    *_, month = commands("Erasing a person")
    block = month.replace("2026-10", kek.stem)
    printed = await typed(block, region, environment(region, region.url, "keys.db"))
    assert f"The key of {kek.stem} is destroyed" in printed
    assert not kek.exists()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_holds_the_lock_is_shown_as_it_is_written(database_url: str) -> None:
    (query,) = commands("Two audit processes", "sql")
    lock = sequencer_lock(database_url)
    url = make_url(database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
        assert admin.execute(query).fetchall() == []
        assert await lock.take()
        assert len(admin.execute(query).fetchall()) == 1
        await lock.leave()
