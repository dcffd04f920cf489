"""The log as an auditor reads it, waiting for what is still on its way."""

import asyncio
from collections.abc import Callable

from accord.audit.v1.entry_pb2 import Entry
from accord.audit.v1.read_service_pb2 import ListEntriesRequest
from accord_client.clients import Audit

from sandbox.mesh import Mesh
from tests.mesh.records import profile

_DELIVERED_S = 20.0
_BETWEEN_S = 0.2  # nothing tells an auditor of a new entry: to ask again is all there is


def checkpoint(region: Mesh, enough: Callable[[str], bool], wait_s: float = _DELIVERED_S) -> str:
    """The newest published checkpoint, once it is `enough`; TimeoutError when it never is."""

    async def read() -> str:
        async with (
            asyncio.timeout(wait_s),
            Audit.connect(profile(region, "auditor"), "a test") as client,
        ):
            while True:
                note = (await client.checkpoint()).note
                if enough(note):
                    return note
                await asyncio.sleep(_BETWEEN_S)

    return asyncio.run(read())


def logged(
    region: Mesh, enough: Callable[[list[Entry]], bool], request: ListEntriesRequest
) -> list[Entry]:
    """The entries that match, oldest first, once they are `enough`; fails when they never are."""

    async def read() -> list[Entry]:
        async with (
            asyncio.timeout(_DELIVERED_S),
            Audit.connect(profile(region, "auditor"), "a test") as client,
        ):
            while True:
                found = [entry async for entry in client.entries(request)]
                if enough(found):
                    return found
                await asyncio.sleep(_BETWEEN_S)

    return asyncio.run(read())
