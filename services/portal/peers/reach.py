"""Sharing over mTLS: who has or may get a person's data."""

from collections.abc import Sequence
from datetime import date

from accord.sharing.v1 import decision_pb2, reach_pb2, reach_service_pb2, reach_service_pb2_grpc

from services.portal.domain.person import Person
from services.portal.domain.reach import Holding, Prospect, Reached
from services.portal.domain.sharing import Ground
from services.portal.peers.convert import known, moment
from services.portal.peers.peer import Peer
from services.portal.peers.sharing import recipient_of
from services.portal.peers.vocabulary import BASES

_PAGE = 50
# Looks at so many pages of recipients that could get data: a page of the portal stays quick where
# thousands of recipients are registered. Whoever has data is always told.
_MOST_PAGES = 6


class ReachPeer:
    """Who has or may get data of the person who acts."""

    def __init__(self, reach: "Peer[reach_service_pb2_grpc.ReachServiceAsyncStub]") -> None:
        self._reach = reach

    async def recipients(self, person: Person) -> tuple[Sequence[Reached], bool]:
        """Return whoever has data and whoever could get it; whether there are more to look at."""
        had, _ = await self._pages(person, reach_service_pb2.REACH_FILTER_HAS, 10 * _MOST_PAGES)
        could, more = await self._pages(person, reach_service_pb2.REACH_FILTER_MAY, _MOST_PAGES)
        reached = {each.recipient.name: each for each in could}
        for each in had:
            prospects = (
                reached[each.recipient.name].prospects if each.recipient.name in reached else ()
            )
            reached[each.recipient.name] = Reached(each.recipient, each.holdings, prospects)
        return list(reached.values()), more

    async def _pages(
        self, person: Person, wanted: reach_service_pb2.ReachFilter.ValueType, most: int
    ) -> tuple[list[Reached], bool]:
        found: list[Reached] = []
        token = ""
        for _ in range(most):
            request = reach_service_pb2.ReachServiceListRecipientsRequest(
                page_size=_PAGE, page_token=token, filter=wanted
            )
            answer = await self._reach.ask(person, lambda stub: stub.ListRecipients, request)
            found += [_reached(each) for each in answer.recipients]
            token = answer.next_page_token
            if not token:
                break
        return found, bool(token)


def _reached(message: reach_pb2.RecipientReach) -> Reached:
    return Reached(
        recipient=recipient_of(message.recipient),
        holdings=[holding_of(each) for each in message.holdings],
        prospects=[prospect_of(each) for each in message.prospects],
    )


def holding_of(message: reach_pb2.Holding) -> Holding:
    """Read what a recipient has for one purpose."""
    return Holding(
        purpose=message.purpose,
        categories=tuple(message.categories),
        disclosed=message.disclosed,
        first=moment(message.first_time),
        last=moment(message.last_time),
        decision=message.decision,
        grounds=[ground_of(ground) for ground in message.grounds],
    )


def prospect_of(message: reach_pb2.Prospect) -> Prospect:
    """Read what a recipient could get for one purpose."""
    return Prospect(
        purpose=message.purpose,
        service=message.service,
        grounds=[ground_of(ground) for ground in message.grounds],
        until=date.fromisoformat(message.until_date) if message.until_date else None,
        relation_assumed=message.relation_assumed,
        signed_in_assumed=message.signed_in_assumed,
        de_identified_assumed=message.de_identified_assumed,
    )


def ground_of(message: decision_pb2.Ground) -> Ground:
    """Read on what categories rest."""
    return Ground(
        categories=tuple(message.categories),
        citation=message.citation,
        basis=known(BASES, message.basis),
        consent=message.consent,
    )
