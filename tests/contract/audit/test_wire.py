"""The service over real mTLS: what callers get, what bad input gets, and who gets nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from accord.audit.v1 import append_service_pb2 as append_pb
from accord.audit.v1 import read_service_pb2 as read_pb
from accord.audit.v1.append_service_pb2_grpc import AppendServiceStub
from accord.audit.v1.entry_pb2 import READABILITY_FULL, Field
from accord.audit.v1.log_entry_pb2 import LogEntry
from accord.audit.v1.read_service_pb2_grpc import ReadServiceStub
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.authority import Authority
from runtime.errors import from_error
from runtime.fault import Fault
from runtime.process import NotReadyError
from runtime.server import Server
from runtime.testing import Bench, serving
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.verification import consistent, included
from services.audit.main import assembled, check, migrate_all
from services.audit.settings import AuditSettings, log_origin
from services.audit.store.key_encryption import create_key
from services.audit.store.log_keys import create_log_key
from tests.committed import commitment
from tests.contract.audit.entries import MALFORMED, entry, event_id

T = TypeVar("T")

PERSON = "accounts/nl-0123456789abcdefghjkmnpqrs"
AUDITOR = "staff/auditor/ines"
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def wanted(
    order: read_pb.Order.ValueType = read_pb.ORDER_UNSPECIFIED,
    page_size: int = 0,
    page_token: str = "",
    **filters: object,
) -> read_pb.ListEntriesRequest:
    """A request for a list, with filters."""
    return read_pb.ListEntriesRequest(
        purpose="a test",
        filter=read_pb.EntryFilter(**filters),  # type: ignore[arg-type]  # protobuf checks them
        order=order,
        page_size=page_size,
        page_token=page_token,
    )


READS: Sequence[tuple[str, Message]] = (
    ("ListEntries", wanted()),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test", index=0)),
    ("GetCheckpoint", read_pb.GetCheckpointRequest()),
    ("ProveInclusion", read_pb.ProveInclusionRequest(purpose="a test", index=0)),
    ("ProveConsistency", read_pb.ProveConsistencyRequest(from_size=1)),
)


@dataclass
class Audit:
    """The running service, and calls to it as anyone."""

    bench: Bench
    server: Server

    async def send(
        self, request: append_pb.AppendRequest, by: str = "svc/account"
    ) -> append_pb.AppendResponse:
        async with self.bench.client(self.server, "audit", by) as channel:
            return await answer(AppendServiceStub(channel).Append(request, timeout=10))

    async def append(self, *entries: append_pb.NewEntry) -> append_pb.AppendResponse:
        return await self.send(append_pb.AppendRequest(entries=entries))

    async def read(
        self, method: str, request: Message, *, by: str = AUDITOR, token: str = ""
    ) -> Message:
        metadata = (("accord-actor", token),) if token else ()
        async with self.bench.client(self.server, "audit", by) as channel:
            call: Callable[..., Awaitable[Message]] = getattr(ReadServiceStub(channel), method)
            return await answer(call(request, timeout=10, metadata=metadata))

    async def list(
        self, request: read_pb.ListEntriesRequest, by: str = AUDITOR
    ) -> read_pb.ListEntriesResponse:
        response = await self.read("ListEntries", request, by=by)
        assert isinstance(response, read_pb.ListEntriesResponse)
        return response


async def answer(call: Awaitable[T]) -> T:
    """The answer, or the Fault that came instead."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_error(error, "audit") from error


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def settings(database_url: str, bench: Bench, tmp_path: Path) -> AuditSettings:
    """Settings of a service whose keys are made and whose databases are migrated."""
    create_log_key(tmp_path / "log.key", log_origin("nl"))
    create_key(tmp_path, "2026-06")
    settings = bench.settings(
        AuditSettings,
        "audit",
        database_url=database_url,
        key_database_url=f"sqlite:///{tmp_path / 'keys.db'}",
        log_key_file=tmp_path / "log.key",
        kek_directory=tmp_path,
        tile_directory=tmp_path,
        account_address="127.0.0.1:1",
        audit_address="127.0.0.1:1",  # away: what audit records waits in its outbox
    )
    migrate_all(settings)
    return settings


@pytest.fixture
async def audit(settings: AuditSettings, bench: Bench) -> AsyncIterator[Audit]:
    """The service on an empty log."""
    async with (
        assembled(
            settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        ) as server,
        serving(server),
    ):
        yield Audit(bench, server)


async def test_what_is_appended_is_shown_and_proved(audit: Audit) -> None:
    appended = await audit.append(entry(1), entry(2, account="", actor="", resource=""))
    assert [receipt.index for receipt in appended.receipts] == [0, 1]
    assert appended.checkpoint.size == 2
    proof = await audit.read(
        "ProveInclusion", read_pb.ProveInclusionRequest(purpose="a test", index=0)
    )
    assert isinstance(proof, read_pb.ProveInclusionResponse)
    shown = proof.entry
    assert (shown.account, shown.actor, shown.resource) == (PERSON, PERSON, "links/google")
    assert [(field.name, field.value) for field in shown.fields] == [("provider", "google")]
    assert shown.readability == READABILITY_FULL
    assert (shown.trace_id, shown.span_id, shown.trace_flags) == (
        "0af7651916cd43dd8448eb211c80319c",
        "b7ad6b7169203331",
        1,
    )
    assert leaf_hash(shown.leaf) == appended.receipts[0].leaf_hash
    assert included(0, 2, leaf_hash(shown.leaf), proof.proof, proof.checkpoint.root_hash)
    leaf = LogEntry.FromString(shown.leaf)
    assert (leaf.producer, leaf.sequence, leaf.format) == ("account", 1, 1)
    for opening in proof.openings:
        expected = leaf.sections[opening.section].commitments[opening.position]
        assert commitment(opening.salt, opening.name, opening.value) == expected
    assert [opening.name for opening in proof.openings] == [
        "@account",
        "@actor",
        "@resource",
        "provider",
    ]


async def test_growth_is_proved_consistent(audit: Audit) -> None:
    before = (await audit.append(entry(1), entry(2), entry(3))).checkpoint
    after = (await audit.append(entry(4), entry(5))).checkpoint
    proof = await audit.read("ProveConsistency", read_pb.ProveConsistencyRequest(from_size=3))
    assert isinstance(proof, read_pb.ProveConsistencyResponse)
    assert (proof.from_size, proof.to_size, proof.checkpoint) == (3, 5, after)
    assert consistent(3, 5, before.root_hash, after.root_hash, proof.proof)


async def test_the_portal_reads_for_an_auditor_alone(audit: Audit) -> None:
    await audit.append(entry())
    auditor = audit.bench.token("accounts/nl-ines", "person", "auditor", audience="audit")
    person = audit.bench.token(PERSON, "person", audience="audit")
    elsewhere = audit.bench.token("accounts/nl-ines", "auditor", audience="sharing")
    for method, request in READS:
        await audit.read(method, request, by="svc/portal", token=auditor)
        for token, reason in (
            ("", "ACTOR_REQUIRED"),
            (person, "ACTOR_ROLE_MISSING"),
            (elsewhere, "ACTOR_INVALID"),
        ):
            with pytest.raises(Fault, match=reason):
                await audit.read(method, request, by="svc/portal", token=token)


@SQLITE
async def test_invariant_6_the_log_is_read_by_auditors_alone(
    audit: Audit, subtests: pytest.Subtests
) -> None:
    for caller in ("svc/account", "svc/sharing", "svc/audit", "app/mi-store", "staff/officer/ana"):
        for method, request in READS:
            with (
                subtests.test(caller=caller, method=method),
                pytest.raises(Fault, match="CALLER_NOT_ALLOWED"),
            ):
                await audit.read(method, request, by=caller)


@SQLITE
async def test_invariant_6_the_log_is_written_by_its_producers_alone(
    audit: Audit, subtests: pytest.Subtests
) -> None:
    for caller in ("svc/portal", "app/mi-store", AUDITOR, "staff/operator/olga"):
        with subtests.test(caller=caller), pytest.raises(Fault, match="CALLER_NOT_ALLOWED"):
            await audit.send(append_pb.AppendRequest(entries=[entry()]), by=caller)


@SQLITE
async def test_another_ca_and_another_region_get_nothing(audit: Audit) -> None:
    foreign = Authority.create("nl.accord.internal")
    async with audit.bench.client(audit.server, "audit", AUDITOR, foreign) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await ReadServiceStub(channel).GetCheckpoint(read_pb.GetCheckpointRequest(), timeout=5)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE  # no handshake, no answer


@SQLITE
async def test_a_malformed_entry_is_refused_by_field(
    audit: Audit, subtests: pytest.Subtests
) -> None:
    for field, value in MALFORMED:
        with subtests.test(field=field, value=repr(value)[:60]):
            with pytest.raises(Fault, match="INVALID_FIELD") as refusal:
                await audit.append(entry(**{field: value}))  # type: ignore[arg-type]  # protobuf checks it
            assert refusal.value.violations[0][0].startswith(f"entries[0].{field}")
    assert not (await audit.list(wanted())).entries


@SQLITE
async def test_a_malformed_request_is_refused(audit: Audit) -> None:
    for entries in ([], [entry(1), entry(3)], [entry(2), entry(1)], [entry(1), entry(1)]):
        with pytest.raises(Fault, match="INVALID_FIELD"):
            await audit.append(*entries)
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await audit.append(*(entry(n) for n in range(1, 1026)))
    with pytest.raises(Fault, match="OVERLOADED"):  # beyond the size of a message
        await audit.append(entry(fields=[Field(name="a", value="x" * (2 << 20))]))
    with pytest.raises(Fault, match="ENTRY_TOO_LARGE"):
        await audit.append(entry(fields=[Field(name="a", value="x" * 66_000)]))
    async with audit.bench.client(audit.server, "audit", "svc/account") as channel:
        raw: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/accord.audit.v1.AppendService/Append"
        )
        for garbage in (b"\xff\xff\xff", b"\n\x03\x22\x01\xff"):
            with pytest.raises(Fault, match="MALFORMED_MESSAGE"):
                await answer(raw(garbage, timeout=5))
    assert not (await audit.list(wanted())).entries


QUESTIONS: Sequence[tuple[str, Message, str]] = [
    ("ListEntries", wanted(account="a" * 401), "INVALID_FIELD"),
    ("ListEntries", wanted(actor="a" * 401), "INVALID_FIELD"),
    ("ListEntries", wanted(action_prefix="%"), "INVALID_FIELD"),
    ("ListEntries", wanted(action_prefix="a" * 101), "INVALID_FIELD"),
    ("ListEntries", wanted(producer="SHARING"), "INVALID_FIELD"),
    ("ListEntries", wanted(trace_id="0" * 32), "INVALID_FIELD"),
    ("ListEntries", wanted(trace_id="xyz"), "INVALID_FIELD"),
    (
        "ListEntries",
        wanted(start_time=Timestamp(seconds=2**60)),
        "INVALID_FIELD",
    ),
    (
        "ListEntries",
        wanted(end_time=Timestamp(nanos=2 * 10**9)),
        "INVALID_FIELD",
    ),
    ("ListEntries", wanted(page_size=-1), "INVALID_FIELD"),
    ("ListEntries", wanted(order=7), "INVALID_FIELD"),  # type: ignore[arg-type]  # an unknown value
    ("ListEntries", wanted(page_token="made up"), "PAGE_TOKEN_INVALID"),
    ("ListEntries", wanted(page_token="x" * 5000), "PAGE_TOKEN_INVALID"),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test"), "INVALID_FIELD"),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test", event_id="xyz"), "INVALID_FIELD"),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test", event_id=event_id(9)), "NOT_FOUND"),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test", index=1), "NOT_FOUND"),
    ("GetEntry", read_pb.GetEntryRequest(purpose="a test", index=2**64 - 1), "NOT_FOUND"),
    ("ProveInclusion", read_pb.ProveInclusionRequest(purpose="a test"), "INVALID_FIELD"),
    ("ProveInclusion", read_pb.ProveInclusionRequest(purpose="a test", index=1), "NOT_FOUND"),
    (
        "ProveInclusion",
        read_pb.ProveInclusionRequest(purpose="a test", event_id=""),
        "INVALID_FIELD",
    ),
    ("ProveConsistency", read_pb.ProveConsistencyRequest(), "INVALID_FIELD"),
    ("ProveConsistency", read_pb.ProveConsistencyRequest(from_size=2), "TREE_SIZE_UNKNOWN"),
    (
        "ProveConsistency",
        read_pb.ProveConsistencyRequest(from_size=1, to_size=2**64 - 1),
        "TREE_SIZE_UNKNOWN",
    ),
    (
        "ProveConsistency",
        read_pb.ProveConsistencyRequest(from_size=1, to_size=0),
        "INVALID_FIELD",
    ),
]


@SQLITE
async def test_a_malformed_question_gets_a_typed_answer(
    audit: Audit, subtests: pytest.Subtests
) -> None:
    await audit.append(entry())
    for method, request, reason in QUESTIONS:
        with (
            subtests.test(method=method, request=repr(request)[:60]),
            pytest.raises(Fault, match=reason),
        ):
            await audit.read(method, request)


@SQLITE
async def test_pages_follow_one_another_for_their_filter_and_caller_alone(audit: Audit) -> None:
    await audit.append(*(entry(n) for n in range(1, 8)))
    request = wanted(account=PERSON, page_size=3)
    indexes = []
    while True:
        page = await audit.list(request)
        indexes += [found.index for found in page.entries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert indexes == list(range(7))
    for other, by in (
        (wanted(producer="account"), AUDITOR),
        (wanted(account=PERSON, order=read_pb.ORDER_NEWEST_FIRST), AUDITOR),
        (wanted(account=PERSON), "staff/auditor/bo"),
    ):
        other.page_token = request.page_token
        with pytest.raises(Fault, match="PAGE_TOKEN_INVALID"):
            await audit.list(other, by=by)


@SQLITE
async def test_a_service_without_its_keys_or_migrations_does_not_start(
    settings: AuditSettings, tmp_path: Path
) -> None:
    check(settings)
    unmigrated = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'new.db'}"})
    with pytest.raises(NotReadyError, match="not migrated"):
        check(unmigrated)
    with pytest.raises(NotReadyError, match="not of in"):
        check(settings.model_copy(update={"region": "in"}))
    (tmp_path / "2026-06.kek").chmod(0o604)
    with pytest.raises(NotReadyError, match="open to others"):
        check(settings)


@SQLITE
async def test_a_service_that_misses_a_months_key_does_not_start(
    settings: AuditSettings, bench: Bench, tmp_path: Path
) -> None:
    """An accident must not look like an erasure."""

    def service() -> AbstractAsyncContextManager[Server]:
        return assembled(
            settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        )

    async with service() as server, serving(server):
        await Audit(bench, server).append(entry())
    (tmp_path / "2026-06.kek").rename(tmp_path / "elsewhere")
    create_key(tmp_path, "2026-07")
    with pytest.raises(NotReadyError, match="wrapped under 2026-06"):
        async with service():
            pass
    (tmp_path / "elsewhere").rename(tmp_path / "2026-06.kek")
    async with service() as server, serving(server):
        found = await Audit(bench, server).list(wanted(account=PERSON))
        assert len(found.entries) == 1


@SQLITE
def test_log_and_keys_need_databases_of_their_own(settings: AuditSettings) -> None:
    values = settings.model_dump(exclude_none=True)
    with pytest.raises(ValueError, match="database of their own"):
        AuditSettings.model_validate(values | {"key_database_url": settings.database_url})
    with pytest.raises(ValueError, match="exactly one of key_database_url"):
        AuditSettings.model_validate(
            {name: value for name, value in values.items() if name != "key_database_url"}
        )
