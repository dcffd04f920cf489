"""Serves accord.sharing.v1.DisclosureService."""

from accord.sharing.v1 import disclosure_pb2
from accord.sharing.v1 import disclosure_service_pb2 as pb

from runtime.call import Call
from runtime.fault import invalid
from services.sharing.api import encoding, fields
from services.sharing.cases.means import Means
from services.sharing.cases.read_disclosures import list_disclosures_under, list_own_disclosures
from services.sharing.cases.record_disclosure import record_disclosure

_STAFF = frozenset({"officer", "auditor"})


class DisclosureServicer:
    """What was really sent."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def record_disclosure(
        self, request: pb.RecordDisclosureRequest, call: Call
    ) -> pb.RecordDisclosureResponse:
        """Record that the app sent data under a permit."""
        once = fields.once(call, request, request.request_id, encoding.disclosure)
        time = None
        if request.HasField("disclose_time"):
            time = fields.moment("disclose_time", request.disclose_time)
        answer = await record_disclosure(
            self._means,
            once,
            decision=fields.name("decision", request.decision, "decisions"),
            categories=fields.keys("categories", request.categories),
            time=time,
            records=request.record_count,
            sender=call.caller.name,
            acting=fields.acting(call),
        )
        return pb.RecordDisclosureResponse(
            disclosure=disclosure_pb2.Disclosure.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def list_disclosures(
        self, request: pb.ListDisclosuresRequest, call: Call
    ) -> pb.ListDisclosuresResponse:
        """List disclosures, newest first."""
        decision = request.decision and fields.name("decision", request.decision, "decisions")
        page = fields.page(call, request, request.page_size, request.page_token)
        if call.actor is None or (decision and call.actor.roles & _STAFF):
            if not decision:
                raise invalid("decision", "is needed of staff")
            found, following = await list_disclosures_under(self._means, page, decision)
        else:
            holder = fields.person(call, self._means.region)
            found, following = await list_own_disclosures(self._means, page, holder, decision)
        return pb.ListDisclosuresResponse(
            disclosures=[encoding.disclosure(disclosure) for disclosure in found],
            next_page_token=fields.next_token(call, request, following),
        )
