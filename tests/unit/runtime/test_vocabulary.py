"""Ids, page tokens and faults: what goes in comes out, and nothing else is accepted."""

import re
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
from runtime.event import LARGEST, ROOM, Event, Section, Trace, in_entries
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
    trace, section = Trace("1" * 32, "2" * 16, 1), Section(name, fields)
    event = Event("a:b:c", "done", NOON, name, name, name, fields, trace, sections=(section,) * 2)
    entry = NewEntry.FromString(encode(event))
    said = [Section(s.account, {f.name: f.value for f in s.fields}) for s in entry.sections]
    assert event == Event(
        entry.action,
        entry.outcome,
        entry.event_time.ToDatetime(UTC),
        entry.account,
        entry.actor,
        entry.resource,
        {field.name: field.value for field in entry.fields},
        Trace(entry.trace_id, entry.span_id, entry.trace_flags),
        entry.event_id,
        tuple(said),
    )
    assert entry.sequence == 0


@pytest.mark.parametrize(
    "event",
    [
        Event("a:b", "done", NOON),
        Event("a:b:C", "done", NOON),
        Event("a:b:c", "PERMIT", NOON),
        Event("a:b:c", "done", NOON, fields={"F": "value"}),
        Event("a:b:c", "done", NOON, fields={f"f{n}": "" for n in range(257)}),
        Event("a:b:c", "done", NOON, fields={"f": "x" * 66_000}),
        Event("a:b:c", "done", NOON, account="a" * 201),
        Event("a:b:c", "done", NOON, actor="@organisation"),
        Event("a:b:c", "done", NOON, resource="é" * 201),
        Event("a:b:c", "done", NOON, sections=(Section(""),)),
        Event("a:b:c", "done", NOON, sections=(Section("@organisation"),)),
        Event("a:b:c", "done", NOON, sections=(Section("é" * 101),)),
        Event("a:b:c", "done", NOON, sections=(Section("a", {"F": "value"}),)),
        Event("a:b:c", "done", NOON, sections=(Section("a", {"f": "x" * 300}),) * 200),
        Event("a:b:c", "done", NOON, sections=(Section("a"),) * 1025),
    ],
)
def test_an_event_that_the_log_would_refuse_fails_its_own_case(event: Event) -> None:
    table = outbox_table(metadata())
    engine = create_engine("sqlite://")
    table.metadata.create_all(engine)
    with (
        engine.begin() as tx,
        pytest.raises(ValueError, match=r"reads|lower case|too long|larger|about"),
    ):
        publish(tx, table, event)
    engine.dispose()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3000), max_size=60))
def test_sections_are_divided_in_their_order_among_events_that_the_log_takes(
    texts: list[str],
) -> None:
    sections = [Section(f"accounts/{n}", {"f": text}) for n, text in enumerate(texts)]
    groups = list(in_entries(sections))
    assert [section for group in groups for section in group] == sections
    for group, following in pairwise(groups):
        assert sum(section.size for section in (*group, following[0])) > ROOM
    for group in groups:
        event = Event("a:b:c", "done", NOON, "a" * 200, "b" * 400, "c" * 400, {"f": "x" * 3000})
        assert replace(event, sections=group).size <= LARGEST


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
