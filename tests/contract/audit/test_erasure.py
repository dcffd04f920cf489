"""Erasing people: two officers, holds, who is never erased, and what stays on record."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from accord.audit.v1 import erasure_pb2
from accord.audit.v1 import erasure_service_pb2 as pb
from accord.audit.v1.entry_pb2 import (
    READABILITY_FULL,
    READABILITY_NONE,
    READABILITY_PARTIAL,
    Entry,
)
from google.protobuf.message import Message
from sqlalchemy import select

from runtime.db import Database
from runtime.event import Section
from runtime.fault import Fault
from services.audit.domain.merkle import leaf_hash
from services.audit.domain.verification import included
from services.audit.store.search import indexes
from services.audit.store.tables import outbox, party_keys, postings
from tests.committed import commitment
from tests.contract.audit.erasing import ANA, BO, INES, MONTH, Office, Service
from tests.contract.audit.log import OFFICER, PERSON, event

OTHER = "accounts/nl-ffffffffffffffffffffffffff"
NOBODY = "accounts/nl-nnnnnnnnnnnnnnnnnnnnnnnnnn"
GUEST = "guests/3f2a-77"


@pytest.fixture
async def audit(office: Office) -> AsyncIterator[Service]:
    """The service, with entries about two people, one of them by an officer."""
    async with office.open() as service:
        await service.append(
            event(1),
            event(2, account=OTHER, actor=OTHER),
            event(3, actor=OFFICER),
            event(4, account=OTHER, actor=PERSON),
            event(
                5,
                action="sharing:decision:batch",
                account="",
                actor="",
                sections=(
                    Section(PERSON, {"answer": "permit"}),
                    Section(OTHER, {"answer": "deny"}),
                ),
            ),
        )
        yield service


async def actions(audit: Service) -> list[tuple[str, str]]:
    """What audit recorded of itself, without the reading."""
    return [
        (entry.action, entry.outcome)
        for entry in await audit.entries(producer="audit")
        if not entry.action.endswith(":read")
    ]


async def test_one_officer_asks_and_another_erases(audit: Service) -> None:
    asked = await audit.ask(PERSON)
    assert (asked.state, asked.account) == (erasure_pb2.ERASURE_STATE_ASKED, PERSON)
    assert asked.asker.endswith(ANA)
    assert len(await audit.entries(PERSON)) == 3  # as before
    with pytest.raises(Fault, match="FOUR_EYES"):
        await audit.confirm(asked.name, by=ANA)
    otto = audit.bench.token("accounts/nl-otto", "person", "officer", audience="audit")
    with pytest.raises(Fault, match="FOUR_EYES"):  # may be ana, signed in at the portal
        await audit.confirm(asked.name, by="svc/portal", token=otto)
    with pytest.raises(Fault, match="ERASURE_ASKED"):
        await audit.ask(PERSON, by=BO)
    erased = await audit.confirm(asked.name)
    assert (erased.state, erased.account) == (erasure_pb2.ERASURE_STATE_ERASED, "")
    assert erased.confirmer.endswith(BO)
    # The reading above is on record too, and was about them.
    assert (erased.entries, erased.kek_month, len(erased.fingerprint)) == (5, MONTH, 32)
    assert (erased.backups_end_time.ToDatetime() - erased.erase_time.ToDatetime()).days == 30
    assert [entry.readability for entry in await audit.entries()][:5] == [
        READABILITY_NONE,
        READABILITY_FULL,
        READABILITY_PARTIAL,
        READABILITY_PARTIAL,
        READABILITY_PARTIAL,
    ]
    assert not await audit.entries(PERSON)
    assert [e.index for e in await audit.entries(OTHER)] == [1, 3, 4]
    with pytest.raises(Fault, match="WRONG_STATE"):
        await audit.confirm(asked.name, by=ANA)
    with pytest.raises(Fault, match="NOT_FOUND"):
        await audit.ask(PERSON)
    assert await actions(audit) == [("audit:person:ask", "ok"), ("audit:person:erase", "ok")]


async def test_the_proof_of_an_erasure_is_an_entry_of_the_log(
    audit: Service, office: Office
) -> None:
    async with office.keys() as (_, keys):
        pseudonym = (await keys.find([PERSON]))[PERSON].pseudonym
    shown = await audit.show((await audit.erase(PERSON)).name)
    proof, erasure = shown.proof, shown.erasure
    leaf = leaf_hash(proof.entry.leaf)
    assert included(
        proof.entry.index, proof.checkpoint.size, leaf, proof.proof, proof.checkpoint.root_hash
    )
    said = {field.name: field.value for field in proof.entry.fields}
    assert said == {
        "pseudonym": pseudonym.hex(),
        "ground": "withdrawal",
        "asked_by": erasure.asker,
        "asked": said["asked"],
        "entries": "4",
        "log_size": str(erasure.log_size),
        "fingerprint": erasure.fingerprint.hex(),
        "kek": MONTH,
        "backups_end": said["backups_end"],
    }
    assert proof.entry.actor == erasure.confirmer
    assert proof.entry.event_id == erasure.event_id
    assert proof.entry.account == ""
    assert PERSON.encode() not in proof.SerializeToString()
    for opening in proof.openings:
        assert len(commitment(opening.salt, opening.name, opening.value)) == 32


async def test_a_hold_keeps_a_person_and_both_decisions_are_on_record(audit: Service) -> None:
    asked = await audit.ask(PERSON)
    hold = await audit.place(PERSON)
    with pytest.raises(Fault, match="ERASURE_HELD") as refusal:
        await audit.confirm(asked.name)
    assert refusal.value.metadata == {"hold": hold, "reference": "C-09/114"}
    assert PERSON not in str(refusal.value)
    audit.bench.clock.advance(timedelta(seconds=1))
    other = await audit.place(OTHER)
    with pytest.raises(Fault, match="ERASURE_HELD"):
        await audit.ask(OTHER)
    half = await audit.lift(hold, by=ANA)
    assert half.state == erasure_pb2.HOLD_STATE_LIFT_ASKED
    with pytest.raises(Fault, match="FOUR_EYES"):
        await audit.lift(hold, by=ANA)
    with pytest.raises(Fault, match="ERASURE_HELD"):
        await audit.confirm(asked.name)
    assert (await audit.lift(hold, by=BO)).state == erasure_pb2.HOLD_STATE_LIFTED
    with pytest.raises(Fault, match="WRONG_STATE"):
        await audit.lift(hold, by=ANA)
    await audit.confirm(asked.name)
    with pytest.raises(Fault, match="NOT_FOUND"):
        await audit.place(PERSON)
    listed = await audit.call(pb.ListHoldsRequest(purpose="test"), INES)
    assert isinstance(listed, pb.ListHoldsResponse)
    assert [(one.name, one.account, one.state) for one in listed.holds] == [
        (other, OTHER, erasure_pb2.HOLD_STATE_PLACED),
        (hold, "", erasure_pb2.HOLD_STATE_LIFTED),
    ]
    assert await actions(audit) == [
        ("audit:person:ask", "ok"),
        ("audit:hold:place", "ok"),
        ("audit:person:erase", "refused"),
        ("audit:hold:place", "ok"),
        ("audit:person:erase", "refused"),
        ("audit:hold:ask", "ok"),
        ("audit:person:erase", "refused"),
        ("audit:hold:lift", "ok"),
        ("audit:person:erase", "ok"),
    ]


async def test_who_acts_for_the_group_is_not_erased(
    audit: Service, subtests: pytest.Subtests
) -> None:
    await audit.append(event(20, action="account:staff:accept", account=OTHER, actor=OTHER))
    region = "spiffe://nl.accord.internal"
    for party, reason, kind in (
        (OFFICER, "NOT_ERASABLE", "staff"),
        (f"{region}/app/mi-store", "NOT_ERASABLE", "app"),
        (f"{region}/svc/sharing", "NOT_ERASABLE", "service"),
        (OTHER, "NOT_ERASABLE", "staff"),
        ("accounts/nl-00000000000000000000000000", "NOT_FOUND", ""),
        ("accounts/in-00000000000000000000000000", "WRONG_REGION", ""),
        (GUEST, "NOT_FOUND", ""),
        ("@organisation", "INVALID_FIELD", ""),
        ("", "INVALID_FIELD", ""),
        ("a" * 401, "INVALID_FIELD", ""),
    ):
        with subtests.test(party=party[:40]):
            with pytest.raises(Fault, match=reason) as refusal:
                await audit.ask(party)
            assert refusal.value.metadata.get("kind", "") == kind
            if party:
                assert party not in str(refusal.value)
    await audit.append(event(21, account=GUEST, actor=""))
    await audit.erase(GUEST)


async def test_a_service_that_deleted_an_account_erases_at_once(audit: Service) -> None:
    request = pb.ErasePersonRequest(
        request_id=str(uuid.uuid4()),
        account=PERSON,
        ground=erasure_pb2.ERASURE_GROUND_NO_LONGER_NEEDED,
    )
    for by in ("svc/sharing", "svc/portal", "app/mi-store", ANA):
        with pytest.raises(Fault, match="CALLER_NOT_ALLOWED"):
            await audit.call(request, by)
    hold = await audit.place(PERSON)
    with pytest.raises(Fault, match="ERASURE_HELD"):
        await audit.call(request, "svc/account")
    await audit.lift(hold, ANA)
    await audit.lift(hold, BO)
    first = await audit.call(request, "svc/account")
    assert isinstance(first, pb.ErasePersonResponse)
    assert first.erasure.state == erasure_pb2.ERASURE_STATE_ERASED
    assert await audit.call(request, "svc/account") == first
    assert not await audit.entries(PERSON)
    through = {e.action: e.app for e in await audit.entries(producer="audit")}
    assert through["audit:hold:place"] == ""  # by an officer's command
    assert through["audit:person:erase"] == "svc/account"


async def test_a_request_happens_once(audit: Service) -> None:
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    asked = await audit.ask(PERSON, request_id=one)
    assert await audit.ask(PERSON, request_id=one) == asked
    with pytest.raises(Fault, match="REQUEST_ID_REUSED"):
        await audit.ask(OTHER, request_id=one)
    erased = await audit.confirm(asked.name, request_id=two)
    assert await audit.confirm(asked.name, request_id=two) == erased
    assert (await audit.ask(PERSON, request_id=one)).state == erasure_pb2.ERASURE_STATE_ERASED
    assert await actions(audit) == [("audit:person:ask", "ok"), ("audit:person:erase", "ok")]


async def test_a_request_of_one_person_answers_for_no_other(audit: Service) -> None:
    def place(account: str, number: int) -> pb.PlaceHoldRequest:
        kind = erasure_pb2.HOLD_KIND_LEGAL_CLAIM
        hold = erasure_pb2.Hold(account=account, kind=kind, reference="C-09/114")
        return pb.PlaceHoldRequest(request_id=str(uuid.UUID(int=number)), hold=hold)

    placed = await audit.call(place(PERSON, 1))
    assert await audit.call(place(PERSON, 1)) == placed
    for other in (OTHER, NOBODY):
        with pytest.raises(Fault, match="REQUEST_ID_REUSED"):
            await audit.call(place(other, 1))
    await audit.ask(OTHER, request_id=str(uuid.UUID(int=2)))
    with pytest.raises(Fault, match="REQUEST_ID_REUSED"):
        await audit.ask(NOBODY, request_id=str(uuid.UUID(int=2)))


async def test_who_reads_erasures_and_holds_says_why_and_is_on_record(audit: Service) -> None:
    asked = await audit.ask(PERSON)
    await audit.place(PERSON)
    await audit.show(asked.name)
    reads: tuple[tuple[Message, str], ...] = (
        (pb.GetErasureRequest(name=asked.name), "audit:erasure:read"),
        (pb.ListErasuresRequest(), "audit:erasure:read"),
        (pb.ListHoldsRequest(), "audit:hold:read"),
    )
    for request, action in reads:
        with pytest.raises(Fault, match="INVALID_FIELD") as refusal:
            await audit.call(request, INES)
        assert [field for field, _ in refusal.value.violations] == ["purpose"]
        request.purpose = "request 4711"  # type: ignore[attr-defined]  # each has one
        await audit.call(request, INES)
        said: Entry | None = None
        while said is None:  # until the relay has carried it
            own = await audit.entries(producer="audit")
            said = next((e for e in own if e.action == action and "4711" in str(e.fields)), None)
        assert said.actor.endswith(INES)
        assert PERSON not in str(said)
    database = Database(audit.settings.key_database)
    await database.write(outbox.drop)
    await database.close()
    for request, _ in reads:  # a table that is gone is a bug on PostgreSQL, a fault on SQLite
        with pytest.raises(Fault, match=r"UNAVAILABLE|INTERNAL"):
            await audit.call(request, INES)


async def test_what_was_called_off_can_be_asked_for_again(audit: Service) -> None:
    asked = await audit.ask(PERSON)
    request = pb.CancelErasureRequest(request_id=str(uuid.uuid4()), name=asked.name)
    answer = await audit.call(request, ANA)
    assert isinstance(answer, pb.CancelErasureResponse)
    assert answer.erasure.state == erasure_pb2.ERASURE_STATE_CANCELLED
    with pytest.raises(Fault, match="WRONG_STATE"):
        await audit.confirm(asked.name)
    audit.bench.clock.advance(timedelta(seconds=1))
    await audit.erase(PERSON)
    page = await audit.call(pb.ListErasuresRequest(page_size=1, purpose="test"), INES)
    assert isinstance(page, pb.ListErasuresResponse)
    rest = await audit.call(
        pb.ListErasuresRequest(page_token=page.next_page_token, purpose="more"), INES
    )
    assert isinstance(rest, pb.ListErasuresResponse)
    assert [one.name for one in rest.erasures] == [asked.name]
    assert not rest.next_page_token


async def test_events_in_flight_are_readable_to_nobody_or_begin_anew(
    audit: Service, office: Office
) -> None:
    """No entry behind the proof of an erasure bears the pseudonym that it ended."""
    async with office.keys() as (database, keys):
        old = (await keys.find([PERSON]))[PERSON].pseudonym
        asked = await audit.ask(PERSON)
        numbers = iter(range(100, 10_000))
        erased = asyncio.Event()

        async def busy() -> None:
            while not erased.is_set():
                await audit.append(*(event(next(numbers)) for _ in range(20)))

        writing = asyncio.create_task(busy())
        try:
            done = await audit.confirm(asked.name)
        finally:
            erased.set()
        await writing
        await audit.append(event(next(numbers)))
        proof = (await audit.show(done.name)).proof.entry.index
        rows = await database.read(lambda tx: tx.execute(select(party_keys.c.pseudonym)).scalars())
        assert old not in set(rows)
        new = (await keys.find([PERSON]))[PERSON].pseudonym
        assert new != old
    assert await last_about(audit, old) < proof < await last_about(audit, new)


async def last_about(audit: Service, pseudonym: bytes) -> int:
    """The newest entry that bears a pseudonym."""
    database = Database(audit.settings.database)
    try:
        bearing = select(postings.c.segment, postings.c.places).where(postings.c.key == pseudonym)
        return await database.read(lambda tx: max(indexes(tx.execute(bearing))))
    finally:
        await database.close()
