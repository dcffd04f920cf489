"""Ids, page tokens and faults: what goes in comes out, and nothing else is accepted."""

import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.type.v1 import error_reason_pb2
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from runtime import errors, ids, paging
from runtime.db import metadata
from runtime.event import LARGEST, ROOM, Decision, Event, Part, Section, Trace, in_entries
from runtime.event_names import text_of
from runtime.fault import Fault, invalid
from runtime.identity import parse
from runtime.outbox import encode, outbox_table, publish
from runtime.testing import NOON


def test_an_account_knows_its_home() -> None:
    account = ids.new_account("in")
    assert ids.home_of(account) == "in"
    ids.require_home(account, "in")
    with pytest.raises(Fault) as caught:
        ids.require_home(account, "nl")
    assert (caught.value.reason, caught.value.metadata) == ("WRONG_REGION", {"region": "in"})


@given(st.text())
def test_what_is_no_account_name_is_refused(text: str) -> None:
    with pytest.raises(Fault, match="INVALID_FIELD"):
        ids.home_of(text)
    with pytest.raises(Fault, match="INVALID_FIELD"):
        ids.home_of(ids.new_account("nl") + text + "\n")


@given(st.text(), st.lists(st.text()))
def test_a_page_token_is_good_for_its_list_alone(cursor: str, bound: list[str]) -> None:
    token = paging.page_token(cursor, *bound)
    assert paging.cursor_of(token, *bound) == cursor
    with pytest.raises(Fault, match="PAGE_TOKEN_INVALID"):
        paging.cursor_of(token, *bound, "another")


@given(st.text(min_size=1))
def test_a_made_up_page_token_is_refused(token: str) -> None:
    with pytest.raises(Fault, match="PAGE_TOKEN_INVALID"):
        paging.cursor_of(token, "ListEntries")


def test_page_sizes_are_bounded() -> None:
    assert paging.page_size(0) == 50
    assert paging.page_size(10_000) == paging.MAX_PAGE_SIZE
    with pytest.raises(Fault, match="INVALID_FIELD"):
        paging.page_size(-1)


def received(fault: Fault) -> Fault:
    """Send a fault over the wire, as far as its bytes are concerned."""
    status = errors.to_status(fault)
    call: Any = SimpleNamespace(
        trailing_metadata=lambda: (("grpc-status-details-bin", status.SerializeToString()),),
        code=lambda: errors.code_of(fault),
        details=lambda: fault.message,
    )
    return errors.from_error(call, "sharing")


def test_a_fault_arrives_whole() -> None:
    sent = Fault(
        "OVERLOADED",
        "too much",
        metadata={"queue": "write"},
        violations=[("a", "wrong")],
        retry_after=timedelta(milliseconds=200),
    )
    got = received(sent)
    assert vars(got) == vars(sent)
    assert received(invalid("name", "empty")).violations == (("name", "empty"),)


def test_every_reason_has_a_code_and_only_a_bug_is_internal() -> None:
    names = [value.name for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number]
    assert len(names) == len(errors.CODES)
    for reason in errors.CODES:
        code = errors.code_of(Fault(reason, ""))
        assert code not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
        assert (code is grpc.StatusCode.INTERNAL) == (reason == "INTERNAL")


@pytest.mark.parametrize(
    ("spiffe_id", "kind", "name", "role"),
    [
        ("spiffe://nl.accord.internal/svc/portal", "svc", "portal", ""),
        ("spiffe://in.accord.internal/app/mi-store", "app", "mi-store", ""),
        ("spiffe://sg.accord.internal/staff/officer/nadia", "staff", "nadia", "officer"),
    ],
)
def test_an_identity_is_read_from_its_spiffe_id(
    spiffe_id: str, kind: str, name: str, role: str
) -> None:
    caller = parse(spiffe_id)
    assert caller is not None
    assert (caller.kind, caller.name, caller.role) == (kind, name, role)


@pytest.mark.parametrize(
    "spiffe_id",
    [
        "",
        "spiffe://nl.accord.internal/",
        "spiffe://nl.accord.internal/svc/",
        "spiffe://nl.accord.internal/svc/portal/",
        "spiffe://nl.accord.internal/svc/portal\n",
        "spiffe://nl.accord.internal.evil.example/svc/portal",
        "spiffe://nl.accord.internal/staff/nadia",
        "https://nl.accord.internal/svc/portal",
        "spiffe://NL.accord.internal/svc/portal",
    ],
)
def test_what_is_not_of_the_grammar_is_nobody(spiffe_id: str) -> None:
    assert parse(spiffe_id) is None


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_an_event_survives_its_row(fields: dict[str, str], name: str) -> None:
    trace, section = Trace("1" * 32, "2" * 16, 1, "a=1"), Section(name, fields)
    event = Event(
        "account:link:add",
        "done",
        NOON,
        name,
        name,
        name,
        fields,
        trace,
        sections=(section,) * 2,
        on_behalf_of=name,
        app=name,
        recipients=(name,),
        contracts=("", name),
        decision=Decision(name, name, (name,), (name, ""), name),
    )
    entry = NewEntry.FromString(encode(event))
    said = [Section(s.account, {f.name: f.value for f in s.fields}) for s in entry.sections]
    decision = entry.decision
    assert event == Event(
        text_of(entry.event),
        entry.outcome,
        entry.event_time.ToDatetime(UTC),
        entry.account,
        entry.actor,
        entry.resource,
        {field.name: field.value for field in entry.fields},
        Trace(entry.trace_id, entry.span_id, entry.trace_flags, entry.trace_state),
        entry.event_id,
        tuple(said),
        entry.on_behalf_of,
        entry.app,
        tuple(entry.recipients),
        tuple(entry.contracts),
        Decision(
            decision.name,
            decision.outcome,
            tuple(decision.reasons),
            tuple(decision.citations),
            decision.rulebook_digest,
        ),
    )
    assert entry.sequence == 0


@pytest.mark.parametrize(
    "event",
    [
        Event("a:b:c", "done", NOON),
        Event("account:link", "done", NOON),
        Event("", "done", NOON),
        Event("account:link:add", "PERMIT", NOON),
        Event("account:link:add", "done", NOON, fields={"F": "value"}),
        Event("account:link:add", "done", NOON, fields={f"f{n}": "" for n in range(257)}),
        Event("account:link:add", "done", NOON, fields={"f": "x" * 66_000}),
        Event("account:link:add", "done", NOON, account="a" * 201),
        Event("account:link:add", "done", NOON, actor="@organisation"),
        Event("account:link:add", "done", NOON, resource="é" * 201),
        Event("account:link:add", "done", NOON, sections=(Section(""),)),
        Event("account:link:add", "done", NOON, sections=(Section("@organisation"),)),
        Event("account:link:add", "done", NOON, sections=(Section("é" * 101),)),
        Event("account:link:add", "done", NOON, sections=(Section("a", {"F": "value"}),)),
        Event("account:link:add", "done", NOON, sections=(Section("a", {"f": "x" * 300}),) * 200),
        Event("account:link:add", "done", NOON, sections=(Section("a"),) * 1025),
        Event("account:link:add", "done", NOON, actor="a", on_behalf_of="a"),
        Event("account:link:add", "done", NOON, on_behalf_of="@organisation"),
        Event("account:link:add", "done", NOON, app="mi-store"),
        Event("account:link:add", "done", NOON, recipients=("a", "a")),
        Event("account:link:add", "done", NOON, recipients=("",)),
        Event("account:link:add", "done", NOON, contracts=("a\nb",)),
        Event("account:link:add", "done", NOON, contracts=("é" * 201,)),
        Event("account:link:add", "done", NOON, trace=Trace("1" * 32, "2" * 16, 1, "a" * 513)),
        Event("account:link:add", "done", NOON, decision=Decision(outcome="permit")),
        Event("account:link:add", "done", NOON, decision=Decision(reasons=("a",))),
        Event("account:link:add", "done", NOON, decision=Decision(reasons=("A",) * 65)),
        Event("account:link:add", "done", NOON, decision=Decision(citations=("a\nb",))),
        Event("account:link:add", "done", NOON, decision=Decision(citations=("",))),
        Event("account:link:add", "done", NOON, decision=Decision(rulebook="a" * 129)),
    ],
)
def test_an_event_that_the_log_would_refuse_fails_its_own_case(event: Event) -> None:
    table = outbox_table(metadata())
    engine = create_engine("sqlite://")
    table.metadata.create_all(engine)
    with (
        engine.begin() as tx,
        pytest.raises(
            ValueError, match=r"named|reads|case|long|larger|about|once|behalf|decision|citation"
        ),
    ):
        publish(tx, table, event)
    engine.dispose()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3000), max_size=60))
def test_sections_are_divided_in_their_order_among_events_that_the_log_takes(
    texts: list[str],
) -> None:
    parts = [
        Part(Section(f"accounts/{n}", {"f": text}), f"recipients/{n % 7}", f"contracts/{n}" * 8)
        for n, text in enumerate(texts)
    ]
    groups = list(in_entries(parts))
    assert [part for group in groups for part in group] == parts
    for group, following in pairwise(groups):
        assert _taken(*group, following[0]) > ROOM
    for group in groups:
        event = Event(
            "account:link:add", "done", NOON, "a" * 200, "b" * 400, "c" * 400, {"f": "x" * 2000}
        )
        event = replace(
            event,
            sections=tuple(part.section for part in group),
            recipients=tuple({part.recipient for part in group}),
            contracts=tuple({part.contract for part in group}),
            decision=Decision("d" * 400, rulebook="e" * 128),
        )
        assert _taken(*group) <= ROOM
        assert event.size <= LARGEST


def _taken(*parts: Part) -> int:
    """How large the sections of an event are, with the names and tags that it is found by."""
    names = {part.recipient for part in parts} | {part.contract for part in parts}
    return sum(part.section.size for part in parts) + sum(21 + len(name) for name in names)


def test_ids_of_events_are_uuids_of_version_7_in_the_order_they_were_made() -> None:
    before = time.time_ns() // 1_000_000
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: [ids.event_id() for _ in range(500)], range(4)))
    after = time.time_ns() // 1_000_000
    assert len({made for run in runs for made in run}) == 2000
    for run in runs:
        assert run == sorted(run)
    for made in runs[0]:
        read = uuid.UUID(made)
        assert (read.version, read.variant) == (7, uuid.RFC_4122)
        # Many in one millisecond borrow from those that follow.
        assert before <= read.int >> 80 <= after + 1000


def test_no_reason_is_used_that_the_proto_does_not_know(request: pytest.FixtureRequest) -> None:
    """A Fault with an unknown reason would reach its caller as INTERNAL."""
    root = Path(str(request.config.rootpath))
    pattern = re.compile(r'Fault\(\s*"([A-Z_]+)"')
    unknown = {
        (path.name, reason)
        for folder in ("runtime", "services/account", "services/sharing", "services/audit")
        for path in (root / folder).rglob("*.py")
        for reason in pattern.findall(path.read_text())
        if reason not in errors.CODES
    }
    assert not unknown
