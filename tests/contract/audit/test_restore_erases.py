"""A restore brings nobody back: who was erased after the backup of the keys is erased again."""

from __future__ import annotations

from pathlib import Path

from accord.audit.v1 import append_service_pb2 as pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from accord.audit.v1.entry_pb2 import READABILITY_NONE

from runtime.ids import event_id
from runtime.outbox import encoded
from services.audit import recovery
from services.audit.main import migrate_all
from tests.contract.audit.erasing import Office, Service
from tests.contract.audit.log import PERSON, event


async def until_published(audit: Service) -> None:
    """Say one more thing, and return when it and all before it are published."""
    entry = pb.NewEntry.FromString(encoded(event(99, account="", actor="")))
    entry.event_id = event_id()
    audit.appended += 1
    entry.sequence = audit.appended
    async with audit.bench.client(audit.server, "audit", "svc/account") as channel:
        append = AppendServiceStub(channel).Append
        while True:
            answer = await append(pb.AppendRequest(entries=[entry]), timeout=20)
            if answer.published_size > answer.receipts[0].index:
                return


async def test_invariant_8_a_restore_beside_the_published_log_brings_nobody_back(
    office: Office, tmp_path: Path
) -> None:
    """Both databases are lost, the tiles are left, and the keys are of before the erasure."""
    backup, clock = tmp_path / "backup", office.bench.clock
    async with office.open() as audit:
        await audit.append(event(1))
        await until_published(audit)
        await recovery.back_up(office.settings, backup, clock, lambda _done, _of: None)
        await audit.erase(PERSON)
        await until_published(audit)
    settings = office.settings.model_copy(
        update={
            "database_url": f"sqlite:///{tmp_path / 'log-again.db'}",
            "key_database_url": f"sqlite:///{tmp_path / 'keys-again.db'}",
        }
    )
    migrate_all(settings)
    pinned = recovery.Pinned([(tmp_path / "log.vkey").read_text().strip()])
    await recovery.restore(settings, backup, pinned, clock, lambda _done, _of: None)
    again = Office(office.bench, settings, tmp_path)
    async with again.keys() as (_, keys):
        assert await keys.find([PERSON]) == {}
    async with again.open(appended=audit.appended) as audit:
        assert not await audit.entries(PERSON)
        assert (await audit.entries())[0].readability == READABILITY_NONE
        await audit.append(event(2))
        own = await audit.entries(producer="audit")
        assert [entry.sequence for entry in own] == [*range(1, len(own) + 1)]
