"""LinkService: a person's ways to sign in."""

from dataclasses import dataclass

from accord.account.v1 import account_pb2
from accord.account.v1 import link_service_pb2 as pb

from runtime.call import Actor, Call
from runtime.fault import Fault, not_found
from runtime.ids import request_uuid, require_home
from runtime.paging import cursor_of, page_size, page_token
from services.account.api import convert
from services.account.cases.begin_flow import BeginFlow
from services.account.cases.complete_link import CompleteLink
from services.account.cases.list_links import ListLinks
from services.account.cases.unlink import Unlink
from services.account.domain.link import Link, split_name
from services.account.domain.ports import Providers


@dataclass(frozen=True, slots=True)
class LinkServicer:
    """One method an rpc; the person is the token's, never the request's."""

    providers: Providers
    region: str
    begin: BeginFlow
    complete: CompleteLink
    listing: ListLinks
    unlinking: Unlink

    async def begin_link(self, request: pb.BeginLinkRequest, call: Call) -> pb.BeginLinkResponse:
        """Begin a link."""
        begun = await self.begin(
            convert.bounded("provider", request.provider),
            request.language,
            account=call.person(),
            imports=convert.fields_of(request.imports),
        )
        return pb.BeginLinkResponse(
            authorization_url=begun.authorization_url,
            flow_secret=begun.flow_secret,
        )

    async def complete_link(
        self, request: pb.CompleteLinkRequest, call: Call
    ) -> pb.CompleteLinkResponse:
        """Complete a link."""
        callback = convert.callback(request)
        made = await self.complete(callback, call.person(), call.way)
        shown = await self._listed(call.person())
        return pb.CompleteLinkResponse(link=next(link for link in shown if link.name == made.name))

    async def list_links(self, request: pb.ListLinksRequest, call: Call) -> pb.ListLinksResponse:
        """List one's own links."""
        require_home(request.parent, self.region, "parent")
        if request.parent != call.person():
            raise not_found(request.parent)
        size = page_size(request.page_size)
        bound = ("ListLinks", request.parent)
        after = cursor_of(request.page_token, *bound)
        links = await self._listed(call.person())
        names = [link.name for link in links]
        start = names.index(after) + 1 if after in names else 0
        page = links[start : start + size]
        more = start + size < len(links)
        return pb.ListLinksResponse(
            links=page, next_page_token=page_token(page[-1].name, *bound) if more else ""
        )

    async def unlink(self, request: pb.UnlinkRequest, call: Call) -> pb.UnlinkResponse:
        """End a link."""
        account, _ = split_name(request.name)
        require_home(account, self.region, "name")
        request_id = request_uuid(request.request_id)
        await self.unlinking(request.name, request_id, _acting(call), call.way)
        return pb.UnlinkResponse()

    async def _listed(self, account: str) -> list[account_pb2.Link]:
        return [
            convert.link(link, self._title(link), last=last)
            for link, last in await self.listing(account)
        ]

    def _title(self, link: Link) -> str:
        """Return the provider's name; its key when it is no longer configured."""
        titles = {provider.key: provider.title for provider in self.providers.all()}
        return titles.get(link.provider, link.provider)


def _acting(call: Call) -> Actor:
    """Return the person for whom the call is made; ACTOR_REQUIRED without one."""
    if call.actor is None:
        raise Fault("ACTOR_REQUIRED", "this call is made for a person: their token is missing")
    return call.actor
