"""Invariants 1 and 3 with a power cut: kill -9 in the middle of decisions, nothing is lost."""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import pytest
from accord.audit.v1.read_service_pb2 import EntryFilter, ListEntriesRequest
from accord.sharing.v1 import decision_pb2, decision_service_pb2

from tests.mesh.log import logged
from tests.mesh.records import agree
from tests.mesh.wire import Wire, identity, method

if TYPE_CHECKING:
    from accord.audit.v1.entry_pb2 import Entry

    from sandbox.mesh import Mesh
    from tests.mesh.people import Person

ROUNDS = 2
BEFORE_THE_CUT = 10  # answers of each kind
IN_A_BATCH = 3


@dataclass
class Received:
    """What arrived whole before the cut."""

    single: list[str] = field(default_factory=list)  # names of decisions
    batched: list[str] = field(default_factory=list)
    permits: list[str] = field(default_factory=list)  # what they say they are of

    @property
    def records(self) -> set[str]:
        """What must be in the log: a decision that was asked for alone, and each batch."""
        return {*self.single, *(name.rpartition("-")[0] for name in self.batched)}

    def take(self, response: decision_service_pb2.CheckResponse, names: list[str]) -> None:
        names.append(response.decision.name)
        payload = response.permit.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.permits.append(claims["jti"])


def ask_until_cut(
    region: Mesh, request: bytes, received: Received, cut: threading.Event, *, batch: bool
) -> None:
    """Ask as the store, one question or many; remember every answer that was received whole."""
    check = method("DecisionService.CheckBatch" if batch else "DecisionService.Check")
    with Wire(region, "sharing", identity(region, "mi-store")) as wire:
        while True:
            answer = wire.call(check, request, timeout=5)
            if answer.code is not grpc.StatusCode.OK:
                return
            if batch:
                several = decision_service_pb2.CheckBatchResponse.FromString(answer.body)
                for response in several.responses:
                    received.take(response, received.batched)
            else:
                one = decision_service_pb2.CheckResponse.FromString(answer.body)
                received.take(one, received.single)
            enough = len(received.single), len(received.batched) // IN_A_BATCH
            if min(enough) >= BEFORE_THE_CUT:
                cut.set()


@pytest.fixture(scope="module")
def before(region: Mesh, arjun: Person) -> Received:
    """Kill sharing while four ask, and start it again; twice. What had left it until then."""
    recipient = agree(region, "crashpost", "service_provider.delivery", "delivery", "contact")
    question = decision_pb2.Question(
        account=arjun.account,
        service="mi_store",
        recipient=recipient,
        purpose="delivery",
        categories=["contact.name"],
        relation="order-1",
    )
    one = decision_service_pb2.CheckRequest(question=question, permit=True).SerializeToString()
    many = decision_service_pb2.CheckBatchRequest(
        questions=[question] * IN_A_BATCH, permit=True
    ).SerializeToString()
    before = Received()
    for _ in range(ROUNDS):
        received, enough = Received(), threading.Event()
        askers = [
            threading.Thread(
                target=ask_until_cut,
                args=(region, many if batch else one, received, enough),
                kwargs={"batch": batch},
            )
            for batch in (False, True, False, True)
        ]
        for asker in askers:
            asker.start()
        assert enough.wait(30)
        region.process("sharing").kill()
        for asker in askers:
            asker.join(30)
        region.restart("sharing")
        before.single += received.single
        before.batched += received.batched
        before.permits += received.permits
    return before


def test_invariant_1_no_permit_leaves_before_its_record_even_when_killed(
    region: Mesh, before: Received
) -> None:
    names = {*before.single, *before.batched}
    assert set(before.permits) == names
    get = method("DecisionService.GetDecision")
    with Wire(region, "sharing", identity(region, "mi-store")) as wire:
        for name in names:
            request = decision_service_pb2.GetDecisionRequest(name=name).SerializeToString()
            answer = wire.call(get, request)
            assert answer.code is grpc.StatusCode.OK, f"{name} left and is not on record"
            found = decision_service_pb2.GetDecisionResponse.FromString(answer.body).decision
            assert (found.name, found.outcome) == (name, decision_pb2.OUTCOME_PERMIT)


def test_invariant_3_no_acknowledged_decision_is_lost_and_each_is_in_the_log_once(
    region: Mesh, arjun: Person, before: Received
) -> None:
    acknowledged = before.records
    file = f"{region.material.database('sharing').as_uri()}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as db:
        stored = {name for (name,) in db.execute("SELECT name FROM decisions")}
    assert acknowledged <= stored

    def all_there(found: list[Entry]) -> bool:
        return acknowledged <= {entry.resource for entry in found}

    wanted = ListEntriesRequest(
        filter=EntryFilter(account=arjun.account, action_prefix="sharing:decision:")
    )
    found = logged(region, all_there, wanted)
    times = Counter(entry.resource for entry in found)
    assert {name: times[name] for name in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert set(times) <= stored
