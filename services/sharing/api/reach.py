"""Serves accord.sharing.v1.ReachService."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from accord.sharing.v1 import reach_pb2
from accord.sharing.v1 import reach_service_pb2 as pb

from runtime.call import Call
from runtime.fault import Fault, invalid
from services.sharing.api import decoding, encoding, fields
from services.sharing.api.holders import Holders
from services.sharing.cases.means import Means
from services.sharing.cases.read_reach import (
    Wanted,
    Whose,
    list_reached_recipients,
    list_reached_subjects,
)
from services.sharing.domain.reach import Holding, Prospect
from services.sharing.domain.rulebook import Rulebook

_USUAL, _MOST = 20, 50
_AT_ONCE = 4  # pages that are evaluated at a time, each for somebody else; each takes a second
_APPS_AT_ONCE = 2  # of them, for guests: what apps ask must not starve people and officers
_RETRY_AFTER = timedelta(seconds=1)
_WANTED = {
    pb.REACH_FILTER_UNSPECIFIED: Wanted(has=True, may=True),
    pb.REACH_FILTER_HAS: Wanted(has=True, may=False),
    pb.REACH_FILTER_MAY: Wanted(has=False, may=True),
}


class ReachServicer:
    """Who has or may get whose data."""

    def __init__(self, means: Means, apps: Mapping[str, frozenset[str]]) -> None:
        self._means = means
        self._holders = Holders(means, apps)
        self._served: dict[str, bool] = {}  # who, and whether it is an app

    async def list_recipients(
        self, request: pb.ReachServiceListRecipientsRequest, call: Call
    ) -> pb.ReachServiceListRecipientsResponse:
        """List who has or may get data of the person who acts, or of an app's guest."""
        asked = request.guest if request.HasField("guest") else None
        whose = Whose(
            self._holders.of(call, asked),
            decoding.guest("guest", asked, self._means) if asked else None,
            self._holders.services(call),
        )
        size = _size(request.page_size)
        page = fields.named_page(call, request, size, request.page_token)
        wanted = fields.one_of("filter", request.filter, _WANTED)
        with self._turn(call.who(), app=call.caller.kind == "app"):
            found, following = await list_reached_recipients(self._means, page, whose, wanted)
        return pb.ReachServiceListRecipientsResponse(
            recipients=[
                reach_pb2.RecipientReach(
                    recipient=encoding.recipient(each.recipient),
                    holdings=self._holdings(each.holdings),
                    prospects=[_prospect(prospect) for prospect in each.prospects],
                )
                for each in found
            ],
            next_page_token=fields.next_token(call, request, following),
        )

    async def list_subjects(
        self, request: pb.ListSubjectsRequest, call: Call
    ) -> pb.ListSubjectsResponse:
        """List whose data a recipient has or may get."""
        recipient = fields.name("recipient", request.recipient, "recipients")
        size = _size(request.page_size)
        page = fields.named_page(call, request, size, request.page_token, "holders")
        wanted = fields.one_of("filter", request.filter, _WANTED)
        acting = fields.acting(call)
        with self._turn(acting.who, app=False):
            found, following = await list_reached_subjects(
                self._means, page, recipient, wanted, acting
            )
        return pb.ListSubjectsResponse(
            subjects=[
                reach_pb2.SubjectReach(
                    subject=each.holder,
                    holdings=self._holdings(each.holdings),
                    prospects=[_prospect(prospect) for prospect in each.prospects],
                )
                for each in found
            ],
            next_page_token=fields.next_token(call, request, following),
        )

    @contextmanager
    def _turn(self, who: str, *, app: bool) -> Iterator[None]:
        """Let few be served at a time, and each once: what is left is for decisions."""
        full = len(self._served) >= _AT_ONCE
        if app:
            full |= sum(self._served.values()) >= _APPS_AT_ONCE
        if who in self._served or full:
            raise Fault("OVERLOADED", "others are being answered", retry_after=_RETRY_AFTER)
        self._served[who] = app
        try:
            yield
        finally:
            del self._served[who]

    def _holdings(self, holdings: Sequence[Holding]) -> list[reach_pb2.Holding]:
        return [_holding(each, self._means.rulebook) for each in holdings]


def _size(asked: int) -> int:
    """Read how many to look at: each is evaluated for every service and purpose."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or _USUAL, _MOST)


def _holding(value: Holding, rulebook: Rulebook) -> reach_pb2.Holding:
    return reach_pb2.Holding(
        purpose=value.purpose,
        categories=[key for key in rulebook.categories if key in value.categories],
        disclosed=value.disclosed,
        first_time=encoding.stamp(value.first),
        last_time=encoding.stamp(value.last),
        decision=value.decision,
        grounds=[encoding.ground(ground) for ground in value.grounds],
    )


def _prospect(value: Prospect) -> reach_pb2.Prospect:
    return reach_pb2.Prospect(
        purpose=value.purpose,
        service=value.service,
        grounds=[encoding.ground(ground) for ground in value.grounds],
        contract=value.contract,
        until_date=value.until.isoformat() if value.until else "",
        relation_assumed=value.relation_assumed,
        signed_in_assumed=value.signed_in_assumed,
        de_identified_assumed=value.de_identified_assumed,
    )
