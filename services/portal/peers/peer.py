"""A service of the mesh as a page asks it: for the person who looks, within a page's patience."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import grpc

from runtime import channel
from services.portal.domain.person import Person

TIMEOUT = 2.0  # seconds
PAGE = 200


class _List(Protocol):
    page_token: str


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


StubT = TypeVar("StubT")
Request = TypeVar("Request")
Response = TypeVar("Response")
List = TypeVar("List", bound=_List)
Page = TypeVar("Page", bound=_Page)


class Peer(channel.Peer[StubT]):
    """One gRPC service of a peer."""

    async def ask(
        self,
        person: Person,
        pick: "Callable[[StubT], grpc.aio.UnaryUnaryMultiCallable[Request, Response]]",
        request: Request,
        *,
        within: float = TIMEOUT,
    ) -> Response:
        """Call a method for a person; raises as `call`."""
        return await self.call(pick, request, timeout=within, actor=person.token)

    def pages(
        self,
        person: Person,
        pick: "Callable[[StubT], grpc.aio.UnaryUnaryMultiCallable[List, Page]]",
        request: List,
    ) -> AsyncIterator[Page]:
        """Return the pages of a whole list; the request says from where on, and how long one is."""
        return following(lambda part: self.ask(person, pick, part), request)


async def following(ask: Callable[[List], Awaitable[Page]], request: List) -> AsyncIterator[Page]:
    """Return page after page, to the end."""
    while True:
        page = await ask(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
