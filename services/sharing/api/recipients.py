"""Serves accord.sharing.v1.RecipientService."""

from accord.sharing.v1 import recipient_pb2
from accord.sharing.v1 import recipient_service_pb2 as pb

from runtime.call import Call
from services.sharing.api import encoding, fields
from services.sharing.cases.create_recipient import create_recipient
from services.sharing.cases.means import Means
from services.sharing.cases.read_recipients import get_recipient, list_recipients
from services.sharing.cases.set_endpoint import get_endpoint, set_endpoint
from services.sharing.domain.admission import RECIPIENT_PREFIX
from services.sharing.domain.endpoint import Endpoint

_MAX_NAME = 120


class RecipientServicer:
    """The organisations that may receive data."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def create_recipient(
        self, request: pb.CreateRecipientRequest, call: Call
    ) -> pb.CreateRecipientResponse:
        """Register a recipient."""
        fields.required("recipient", request, "recipient")
        given = request.recipient
        answer = await create_recipient(
            self._means,
            fields.once(call, request, request.request_id, encoding.recipient),
            name=RECIPIENT_PREFIX + fields.slug("recipient_id", request.recipient_id),
            display_name=fields.text("recipient.display_name", given.display_name, _MAX_NAME, 1),
            kind=given.kind,
            jurisdiction=fields.country(given.jurisdiction),
            acting=fields.acting(call),
        )
        return pb.CreateRecipientResponse(
            recipient=recipient_pb2.Recipient.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def get_recipient(
        self,
        request: pb.GetRecipientRequest,
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetRecipientResponse:
        """Return a recipient."""
        recipient = await get_recipient(
            self._means, fields.name("name", request.name, "recipients")
        )
        return pb.GetRecipientResponse(recipient=encoding.recipient(recipient))

    async def list_recipients(
        self, request: pb.ListRecipientsRequest, call: Call
    ) -> pb.ListRecipientsResponse:
        """List recipients by name."""
        page = fields.named_page(call, request, request.page_size, request.page_token)
        found, following = await list_recipients(self._means, page, request.kind)
        return pb.ListRecipientsResponse(
            recipients=[encoding.recipient(recipient) for recipient in found],
            next_page_token=fields.next_token(call, request, following),
        )

    async def set_endpoint(
        self, request: pb.SetEndpointRequest, call: Call
    ) -> pb.SetEndpointResponse:
        """Set where a recipient takes revocation notices."""
        answer = await set_endpoint(
            self._means,
            fields.once(call, request, request.request_id, _endpoint),
            recipient=fields.name("recipient", request.recipient, "recipients"),
            url=request.url,
            acting=fields.acting(call),
        )
        return pb.SetEndpointResponse(
            endpoint=recipient_pb2.RecipientEndpoint.FromString(answer),
            token=await self._means.feed.token(),
        )

    async def get_endpoint(
        self,
        request: pb.GetEndpointRequest,
        call: Call,  # noqa: ARG002  the runtime's signature
    ) -> pb.GetEndpointResponse:
        """Return where a recipient takes revocation notices."""
        recipient = fields.name("recipient", request.recipient, "recipients")
        endpoint = await get_endpoint(self._means, recipient)
        return pb.GetEndpointResponse(endpoint=_endpoint(endpoint))


def _endpoint(value: Endpoint) -> recipient_pb2.RecipientEndpoint:
    return recipient_pb2.RecipientEndpoint(
        recipient=value.recipient,
        url=value.url,
        set_time=encoding.stamp(value.set),
        setter=value.setter,
    )
