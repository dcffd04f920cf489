"""Which methods of a decision a client may repeat by itself."""

from __future__ import annotations

import json

from accord.sharing.v1 import decision_service_pb2
from accord_client.channel import service_config


def test_a_question_is_never_repeated_by_itself() -> None:
    """Each Check makes a record, so that an automatic retry could leave two for one question."""
    service = decision_service_pb2.DESCRIPTOR.services_by_name["DecisionService"]
    config = json.loads(service_config((service,)))
    (retried,) = config["methodConfig"]
    assert {name["method"] for name in retried["name"]} == {"ListDecisions", "GetDecision"}
