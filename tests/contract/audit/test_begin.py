"""A log begins once under a key: everything lost but the keys is no reason to begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runtime.process import NotReadyError
from services.audit.store.own_events import StoredOwnEvents
from services.audit.store.tables import checkpoints
from tests.contract.audit.recovering import count

if TYPE_CHECKING:
    from tests.contract.audit.erasing import Office


async def test_no_log_begins_where_the_keys_remember_one(office: Office) -> None:
    """Database and tile directory are lost, and new; log.key and the key database are not."""
    async with office.keys() as (database, keys):
        # As the relay does after a delivery.
        await StoredOwnEvents(database, keys).catch_up(3, ())
    with pytest.raises(NotReadyError, match=r"took 3 events .* second history.*rebuild"):
        async with office.open():
            pass
    assert await count(office.settings.database, checkpoints) == 0
    assert not list(office.settings.tile_directory.rglob("checkpoint"))


async def test_a_log_begins_where_nobody_knows_of_one(office: Office) -> None:
    async with office.open():
        assert await count(office.settings.database, checkpoints) == 1
