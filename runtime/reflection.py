"""Server reflection, for operators' tools; behind mTLS and a rule like every other method."""

from collections.abc import AsyncIterator, Sequence

from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from runtime.call import Call

SERVICE = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]


class Reflection:
    """Tells which services this process serves, and their types."""

    def __init__(self, names: Sequence[str]) -> None:
        self._servicer = aio.ReflectionServicer(names)

    async def server_reflection_info(
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], _call: Call
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer each question in its order, until the caller stops asking."""
        async for response in self._servicer.ServerReflectionInfo(requests, None):
            yield response
