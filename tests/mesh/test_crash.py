"""Invariants 1 and 3 with a power cut: kill -9 in the middle of decisions, nothing is lost."""

import sqlite3
import threading
from collections import Counter
from contextlib import closing

import grpc
from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.read_service_pb2 import ListEntriesRequest
from accord.sharing.v1 import decision_pb2, decision_service_pb2

from sandbox.mesh import Mesh
from tests.mesh.log import logged
from tests.mesh.people import Person
from tests.mesh.records import agree
from tests.mesh.wire import Wire, identity, method

ROUNDS = 2
BEFORE_THE_CUT = 20


def ask_until_cut(
    region: Mesh, request: bytes, acknowledged: list[str], cut: threading.Event
) -> None:
    """Ask as the store; remember every answer that was received whole."""
    with Wire(region, "sharing", identity(region, "mi-store")) as wire:
        while True:
            answer = wire.call(method("DecisionService.Check"), request, timeout=5)
            if answer.code is not grpc.StatusCode.OK:
                return
            decision = decision_service_pb2.CheckResponse.FromString(answer.body).decision
            acknowledged.append(decision.name)
            if len(acknowledged) >= BEFORE_THE_CUT:
                cut.set()


def test_invariant_3_no_acknowledged_decision_is_lost_and_each_is_in_the_log_once(
    region: Mesh, arjun: Person
) -> None:
    recipient = agree(region, "crashpost", "service_provider.delivery", "delivery", "contact")
    question = decision_pb2.Question(
        account=arjun.account,
        service="mi_store",
        recipient=recipient,
        purpose="delivery",
        categories=["contact.name"],
        relation="order-1",
    )
    request = decision_service_pb2.CheckRequest(question=question).SerializeToString()
    acknowledged: list[str] = []
    for _ in range(ROUNDS):
        names: list[str] = []
        cut = threading.Event()
        askers = [
            threading.Thread(target=ask_until_cut, args=(region, request, names, cut))
            for _ in range(4)
        ]
        for asker in askers:
            asker.start()
        assert cut.wait(30)
        region.process("sharing").kill()
        for asker in askers:
            asker.join(30)
        region.restart("sharing")
        acknowledged += names

    file = f"{region.material.database('sharing').as_uri()}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as db:
        stored = {name for (name,) in db.execute("SELECT name FROM decisions")}
    assert set(acknowledged) <= stored

    def all_there(found: list[Entry]) -> bool:
        return set(acknowledged) <= {entry.resource for entry in found}

    wanted = ListEntriesRequest(account=arjun.account, action_prefix="sharing:decision:")
    found = logged(region, all_there, wanted)
    times = Counter(entry.resource for entry in found)
    assert {name: times[name] for name in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert set(times) <= stored
