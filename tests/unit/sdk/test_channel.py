"""Retries: exactly the methods whose .proto says that they may be repeated."""

from __future__ import annotations

import json

from accord.account.v1 import link_service_pb2
from accord.audit.v1 import read_service_pb2
from accord_client.channel import service_config


def test_only_methods_that_may_be_repeated_are_retried() -> None:
    links = link_service_pb2.DESCRIPTOR.services_by_name["LinkService"]
    read = read_service_pb2.DESCRIPTOR.services_by_name["ReadService"]
    config = json.loads(service_config((links, read)))
    (retried,) = config["methodConfig"]
    names = {(name["service"].rsplit(".", 1)[-1], name["method"]) for name in retried["name"]}
    assert ("LinkService", "BeginLink") not in names
    assert ("LinkService", "CompleteLink") not in names
    assert {("LinkService", "Unlink"), ("ReadService", "ProveInclusion")} < names
    assert retried["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
