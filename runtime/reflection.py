"""Server reflection, for operators' tools; behind mTLS and a rule like every other method."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio

from runtime.call import Call

SERVICE = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]


class Reflection:
    """Tells which services this process serves, and their types."""

    def __init__(self, names: Sequence[str]) -> None:
        self._servicer = aio.ReflectionServicer(names, _Symbols())

    async def server_reflection_info(
        self, requests: AsyncIterator[reflection_pb2.ServerReflectionRequest], _call: Call
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer each question in its order, until the caller stops asking."""
        async for response in self._servicer.ServerReflectionInfo(requests, None):
            yield response


class _Symbols:
    """The types of this process; asked for a method, protobuf itself finds its service alone."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the pool has
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, name: str) -> FileDescriptor:  # noqa: N802  protobuf's name
        """Return the file of a message, an enum, a service or a method; KeyError for others."""
        try:
            return self._pool.FindFileContainingSymbol(name)
        except KeyError:
            return self._pool.FindMethodByName(name).containing_service.file
