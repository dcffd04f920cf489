"""The log as an auditor reads it, waiting for what is still on its way."""

import asyncio
import time
from collections.abc import Callable

from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.read_service_pb2 import ListEntriesRequest
from accord_client.clients import Audit

from sandbox.mesh import Mesh
from tests.mesh.records import profile

_DELIVERED_S = 20.0


def entries(region: Mesh, request: ListEntriesRequest) -> list[Entry]:
    """The entries that match, oldest first."""

    async def read() -> list[Entry]:
        async with Audit.connect(profile(region, "auditor")) as client:
            return [entry async for entry in client.entries(request)]

    return asyncio.run(read())


def logged(
    region: Mesh, enough: Callable[[list[Entry]], bool], request: ListEntriesRequest
) -> list[Entry]:
    """The entries that match, once they are `enough`; each look is a call, none is a pause."""
    deadline = time.monotonic() + _DELIVERED_S
    while True:
        found = entries(region, request)
        if enough(found) or time.monotonic() > deadline:
            return found
