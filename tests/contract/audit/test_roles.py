"""Who reads what: every reading method with every identity, over mTLS, and all of it on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count

import pytest
from accord.audit.v1 import own_entry_service_pb2 as own_pb
from accord.audit.v1 import read_service_pb2 as pb
from accord.audit.v1.append_service_pb2 import AppendRequest, NewEntry
from accord.audit.v1.entry_pb2 import EventSection, Field
from accord.audit.v1.event_pb2 import (
    EVENT_NAME_ACCOUNT_LINK_ADD,
    EVENT_NAME_ACCOUNT_STAFF_ACCEPT,
    EVENT_NAME_AUDIT_LOG_EXPORT,
    EVENT_NAME_AUDIT_LOG_READ,
    EVENT_NAME_AUDIT_PERSON_ERASE,
    EVENT_NAME_AUDIT_PROOF_READ,
    EVENT_NAME_SHARING_DECISION_BATCH,
    EVENT_NAME_SHARING_DECISION_DENY,
    EVENT_NAME_SHARING_DECISION_PERMIT,
    EVENT_NAME_SHARING_INSTRUMENT_CREATE,
)
from accord.audit.v1.own_entry_service_pb2_grpc import OwnEntryServiceStub
from accord.audit.v1.read_service_pb2_grpc import ReadServiceStub
from google.protobuf.message import Message

from runtime.db import Database
from runtime.errors import from_error
from runtime.fault import Fault
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.verification import included
from services.audit.settings import AuditSettings
from services.audit.store.tables import outbox
from tests.contract.audit.entries import entry, event_id
from tests.contract.audit.log import said
from tests.contract.audit.test_wire import (  # noqa: F401  the service, as there
    AUDITOR,
    PERSON,
    SQLITE,
    Audit,
    answer,
    audit,
    bench,
    settings,
    wanted,
)

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
INES = "accounts/nl-ines"
APP = "spiffe://nl.accord.internal/app/mi-store"
TRACE = "0af7651916cd43dd8448eb211c80319c"
WHY = "a test"
AUDITORS: Sequence[tuple[str, Message]] = (
    ("ListEntries", wanted()),
    ("GetEntry", pb.GetEntryRequest(purpose=WHY, index=0)),
    ("GetCheckpoint", pb.GetCheckpointRequest()),
    ("ProveInclusion", pb.ProveInclusionRequest(purpose=WHY, index=0)),
    ("ProveEntries", pb.ProveEntriesRequest(purpose=WHY)),
    ("ProveConsistency", pb.ProveConsistencyRequest(from_size=1)),
    ("Tail", pb.TailRequest(purpose=WHY, from_index=0)),
)
OWN: Sequence[tuple[str, Message]] = (
    ("ListOwnEntries", own_pb.ListOwnEntriesRequest()),
    ("ProveOwnEntry", own_pb.ProveOwnEntryRequest(index=0)),
)
OWN_EVENTS = {
    "svc/account": EVENT_NAME_ACCOUNT_LINK_ADD,
    "svc/sharing": EVENT_NAME_SHARING_DECISION_PERMIT,
    "svc/audit": EVENT_NAME_AUDIT_LOG_READ,
}
REFUSALS = {"CALLER_NOT_ALLOWED", "ACTOR_REQUIRED", "ACTOR_ROLE_MISSING"}
EVERYONE = (
    *("svc/account", "svc/sharing", "svc/audit", "svc/portal", "app/mi-store", "app/live-chat"),
    *("staff/auditor/ines", "staff/officer/ana", "staff/operator/olaf", "staff/person/p"),
)


async def ask(audit: Audit, method: str, request: Message, by: str, token: str = "") -> Message:  # noqa: F811  the fixture
    """Call a reading method as anyone; of a stream, the first message."""
    metadata = (("accord-actor", token),) if token else ()
    async with audit.bench.client(audit.server, "audit", by) as channel:
        stub = OwnEntryServiceStub if "Own" in method else ReadServiceStub
        call: Callable[..., Awaitable[Message]] = getattr(stub(channel), method)
        if not isinstance(request, pb.TailRequest):
            return await answer(call(request, timeout=10, metadata=metadata))
        stream = ReadServiceStub(channel).Tail(request, timeout=10, metadata=metadata)
        try:
            return await anext(aiter(stream))
        except Exception as error:
            raise from_error(error, "audit") from error  # type: ignore[arg-type]  # of grpc
        finally:
            stream.cancel()


async def outcome(audit: Audit, method: str, request: Message, by: str, token: str) -> str:  # noqa: F811  the fixture
    """The reason of a refusal, empty for an answer."""
    try:
        await ask(audit, method, request, by, token)
    except Fault as fault:
        return fault.reason
    return ""


@pytest.fixture
async def filled(audit: Audit) -> Audit:  # noqa: F811  the fixture
    """Two decisions that an app asked for, about two people, and one about both."""
    both = [
        EventSection(account=PERSON, fields=[Field(name="decision", value="PERMIT")]),
        EventSection(account=OTHER, fields=[Field(name="decision", value="DENY")]),
    ]
    await audit.send(
        _request(
            entry(1, event=EVENT_NAME_SHARING_DECISION_PERMIT, actor=APP, app="app/mi-store"),
            entry(2, event=EVENT_NAME_SHARING_DECISION_DENY, actor=APP, account=OTHER),
            entry(
                3,
                event=EVENT_NAME_SHARING_DECISION_BATCH,
                actor=APP,
                account="",
                fields=[],
                sections=both,
            ),
        ),
        by="svc/sharing",
    )
    return audit


def _request(*entries: NewEntry) -> AppendRequest:
    return AppendRequest(entries=entries)


@SQLITE
async def test_invariant_6_every_identity_reads_what_its_role_may_and_nothing_else(
    filled: Audit, subtests: pytest.Subtests
) -> None:
    def token(subject: str, *roles: str) -> str:
        return filled.bench.token(subject, *roles, audience="audit")

    auditor = token(INES, "person", "auditor")
    people = {
        "auditor": auditor,
        "person": token(PERSON, "person"),
        "officer": token("accounts/nl-ana", "officer"),
        "operator": token("accounts/nl-olaf", "operator"),
        "": "",
    }
    for by in EVERYONE:
        for method, request in (*AUDITORS, *OWN):
            own = "Own" in method
            for role, actor in people.items() if by == "svc/portal" else [("", "")]:
                with subtests.test(by=by, role=role, method=method):
                    if by == "svc/portal":
                        allowed = role in ({"person", "auditor"} if own else {"auditor"})
                        allowed = allowed and method != "Tail"  # for auditors' own certificates
                    else:
                        allowed = by.startswith("app/") if own else by == AUDITOR
                    expected = REFUSALS
                    if allowed:
                        # Whoever may ask and has no such entry is told that there is none.
                        others = by == "app/live-chat" or role == "auditor"
                        expected = {"NOT_FOUND"} if method == "ProveOwnEntry" and others else {""}
                    assert await outcome(filled, method, request, by, actor) in expected


@SQLITE
async def test_one_does_not_find_others_by_page_token_nor_by_index(filled: Audit) -> None:
    person = filled.bench.token(PERSON, "person", audience="audit")
    other = filled.bench.token(OTHER, "person", audience="audit")
    first = await ask(
        filled, "ListOwnEntries", own_pb.ListOwnEntriesRequest(page_size=1), "svc/portal", person
    )
    assert isinstance(first, own_pb.ListOwnEntriesResponse)
    assert [each.index for each in first.entries] == [2]
    assert OTHER not in str(first)
    stolen = own_pb.ListOwnEntriesRequest(page_size=1, page_token=first.next_page_token)
    for by, token in (("svc/portal", other), ("app/mi-store", ""), ("app/live-chat", "")):
        with pytest.raises(Fault, match="PAGE_TOKEN_INVALID"):
            await ask(filled, "ListOwnEntries", stolen, by, token)
    lists = wanted(page_size=1)
    page = await filled.list(lists)
    for method, request, by in (
        ("ListOwnEntries", own_pb.ListOwnEntriesRequest(), "app/mi-store"),
        ("ProveEntries", pb.ProveEntriesRequest(purpose=WHY), AUDITOR),
        ("ListEntries", wanted(), "staff/auditor/bo"),
    ):
        request.page_token = page.next_page_token
        with pytest.raises(Fault, match="PAGE_TOKEN_INVALID"):
            await ask(filled, method, request, by)
    for index, found in ((0, True), (1, False), (2, True), (3, False), (2**64 - 1, False)):
        proof = own_pb.ProveOwnEntryRequest(index=index)
        if found:
            assert await ask(filled, "ProveOwnEntry", proof, "svc/portal", person)
        else:
            with pytest.raises(Fault, match="NOT_FOUND"):
                await ask(filled, "ProveOwnEntry", proof, "svc/portal", person)


@SQLITE
async def test_an_own_proof_holds_and_opens_what_is_ones_own(filled: Audit) -> None:
    person = filled.bench.token(PERSON, "person", audience="audit")
    for by, token in (("svc/portal", person), ("app/mi-store", "")):
        request = own_pb.ProveOwnEntryRequest(index=2)
        proof = await ask(filled, "ProveOwnEntry", request, by, token)
        assert isinstance(proof, own_pb.ProveOwnEntryResponse)
        size, root = proof.checkpoint.size, proof.checkpoint.root_hash
        assert included(2, size, leaf_hash(proof.entry.leaf), proof.proof, root)
        opened = {opening.value for opening in proof.openings}
        expected = {PERSON, "PERMIT"} if token else {"PERMIT", "DENY"}
        assert expected <= opened
        assert not opened & ({OTHER, "DENY", APP} if token else {OTHER, PERSON})


@SQLITE
async def test_a_list_with_proofs_is_of_one_checkpoint_page_by_page(filled: Audit) -> None:
    growing = count(1)
    for order in (pb.ORDER_OLDEST_FIRST, pb.ORDER_NEWEST_FIRST):
        request = pb.ProveEntriesRequest(
            purpose=WHY, filter=pb.EntryFilter(trace_id=TRACE), order=order, page_size=2
        )
        notes, indexes = set(), []
        while True:
            page = await ask(filled, "ProveEntries", request, AUDITOR)
            assert isinstance(page, pb.ProveEntriesResponse)
            notes.add(page.checkpoint.note)
            for proven in page.entries:
                index, leaf = proven.entry.index, leaf_hash(proven.entry.leaf)
                size, root = page.checkpoint.size, page.checkpoint.root_hash
                assert included(index, size, leaf, proven.proof, root)
                indexes.append(index)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
            number = next(growing)  # the log grows between the pages
            await filled.append(entry(number, event_id=event_id(100 + number)))
        assert len(notes) == 1
        assert indexes == sorted(indexes, reverse=order == pb.ORDER_NEWEST_FIRST)
        assert {0, 1, 2} <= set(indexes)


@SQLITE
async def test_what_was_read_is_on_record_before_it_is_shown(
    filled: Audit,
    settings: AuditSettings,  # noqa: F811  the fixture
) -> None:
    person = filled.bench.token(PERSON, "person", audience="audit")
    reads = (
        ("ListEntries", wanted(account=PERSON, outcome="success"), AUDITOR, ""),
        ("GetEntry", pb.GetEntryRequest(purpose=WHY, index=1), AUDITOR, ""),
        ("ProveInclusion", pb.ProveInclusionRequest(purpose=WHY, index=1), AUDITOR, ""),
        ("ProveEntries", pb.ProveEntriesRequest(purpose=WHY, export=True), AUDITOR, ""),
        ("ListOwnEntries", own_pb.ListOwnEntriesRequest(), "svc/portal", person),
        ("ProveOwnEntry", own_pb.ProveOwnEntryRequest(index=0), "app/mi-store", ""),
    )
    for method, request, by, token in reads:
        await ask(filled, method, request, by, token)
    # Checkpoints and consistency tell of no entry.
    await ask(filled, "GetCheckpoint", pb.GetCheckpointRequest(), AUDITOR)
    database = Database(settings.key_database)
    recorded = await said(database, settings.kek_directory)
    await database.close()
    told = [(each.event, each.account, each.actor, _fields(each.fields)) for each in recorded]
    ines = f"spiffe://nl.accord.internal/{AUDITOR}"
    assert told == [
        (
            EVENT_NAME_AUDIT_LOG_READ,
            "",
            ines,
            {"purpose": WHY, "entries": "2", "outcome": "success"},
        ),
        (EVENT_NAME_AUDIT_LOG_READ, "", ines, {"purpose": WHY, "entries": "1"}),
        (EVENT_NAME_AUDIT_PROOF_READ, "", ines, {"purpose": WHY, "entries": "1"}),
        (EVENT_NAME_AUDIT_LOG_EXPORT, "", ines, {"purpose": WHY, "entries": "3"}),
        (EVENT_NAME_AUDIT_LOG_READ, PERSON, PERSON, {"purpose": "own", "entries": "2"}),
        (EVENT_NAME_AUDIT_PROOF_READ, "", APP, {"purpose": "own", "entries": "1"}),
    ]
    assert [(s.account, _fields(s.fields)) for s in recorded[0].sections] == [
        (PERSON, {"asked": "account", "purpose": WHY})
    ]
    assert [each.resource for each in recorded[1:3]] == ["entries/1", "entries/1"]
    # Through what they read: the auditor's command calls by itself.
    assert [each.app for each in recorded] == ["", "", "", "", "svc/portal", "app/mi-store"]
    # An auditor reads by office, the others for themselves: nobody for another.
    assert not any(each.on_behalf_of for each in recorded)


def _fields(given: Sequence[Field]) -> dict[str, str]:
    return {field.name: field.value for field in given}


@SQLITE
@pytest.mark.parametrize("purpose", ["", " ", "a" * 201, "two\nlines", "bell\x07"])
async def test_without_a_purpose_nothing_is_read(filled: Audit, purpose: str) -> None:
    for method, request in AUDITORS:
        if "purpose" not in request.DESCRIPTOR.fields_by_name:
            continue
        asked = type(request)()
        asked.CopyFrom(request)
        asked.purpose = purpose  # type: ignore[attr-defined]  # it has one
        with pytest.raises(Fault, match="INVALID_FIELD"):
            await ask(filled, method, asked, AUDITOR)


@SQLITE
async def test_what_cannot_be_recorded_is_not_shown(
    filled: Audit,
    settings: AuditSettings,  # noqa: F811  the fixture
) -> None:
    database = Database(settings.key_database)
    await database.write(outbox.drop)
    await database.close()
    person = filled.bench.token(PERSON, "person", audience="audit")
    recorded = [each for each in AUDITORS if "purpose" in each[1].DESCRIPTOR.fields_by_name]
    for method, request in recorded:
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await ask(filled, method, request, AUDITOR)
    for method, request in OWN:
        with pytest.raises(Fault, match="UNAVAILABLE"):
            await ask(filled, method, request, "svc/portal", person)


@SQLITE
async def test_a_service_says_what_is_its_own_to_say(
    audit: Audit,  # noqa: F811  the fixture
    subtests: pytest.Subtests,
) -> None:
    for by, name in (
        ("svc/account", EVENT_NAME_AUDIT_PERSON_ERASE),
        ("svc/account", EVENT_NAME_SHARING_INSTRUMENT_CREATE),
        ("svc/sharing", EVENT_NAME_ACCOUNT_STAFF_ACCEPT),
        ("svc/audit", EVENT_NAME_ACCOUNT_LINK_ADD),
    ):
        with subtests.test(by=by), pytest.raises(Fault, match="INVALID_FIELD") as refusal:
            await audit.send(_request(entry(1, event=OWN_EVENTS[by]), entry(2, event=name)), by=by)
        assert [field for field, _ in refusal.value.violations] == ["entries[1].event"]
    assert not (await audit.list(wanted())).entries
