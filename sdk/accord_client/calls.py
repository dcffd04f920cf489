"""What the typed clients share: a channel, the deadline of a call, pages, ids of mutations."""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import AsyncIterator
from typing import ClassVar, Protocol, Self, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from accord_client.channel import answer, open_channel
from accord_client.profile import Profile

SECONDS = 10.0


class _Mutation(Protocol):
    request_id: str


class _List(Protocol):
    page_token: str


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


Request = TypeVar("Request")
Mutation = TypeVar("Mutation", bound=_Mutation)
List = TypeVar("List", bound=_List)
Page = TypeVar("Page", bound=_Page)
Response = TypeVar("Response")


class Client:
    """A client of one service, open within ``async with … .connect(profile)``.

    Every method raises Fault for a refused call. Lists come as asynchronous iterators that fetch
    further pages as they are consumed.
    """

    _SERVICE: ClassVar[str]
    _FILES: ClassVar[tuple[FileDescriptor, ...]]  # that define what is called

    def __init__(self, channel: grpc.aio.Channel, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._stubs(channel)

    def _stubs(self, channel: grpc.aio.Channel) -> None:
        """Keeps a stub for each of what is called."""
        raise NotImplementedError

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, profile: Profile, *, seconds: float = SECONDS) -> AsyncIterator[Self]:
        """Opens a client; ``seconds`` is the deadline of each call."""
        async with cls._channel(profile) as channel:
            yield cls(channel, seconds)

    @classmethod
    def _channel(cls, profile: Profile) -> contextlib.AbstractAsyncContextManager[grpc.aio.Channel]:
        services = (service for file in cls._FILES for service in file.services_by_name.values())
        return open_channel(profile, cls._SERVICE, tuple(services))

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request
    ) -> Response:
        return await answer(method(request, timeout=self._seconds))

    async def _once(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Mutation, Response], request: Mutation
    ) -> Response:
        """Changes something; under a request id, so that a repeated attempt has its effect once."""
        request.request_id = request.request_id or str(uuid.uuid4())
        return await self._call(method, request)

    async def _pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[List, Page], request: List
    ) -> AsyncIterator[Page]:
        request = copy.deepcopy(request)
        while True:
            page = await self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
