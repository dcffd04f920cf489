"""A list that comes in parts is read whole, and in its order."""

from __future__ import annotations

import pytest
from accord.sharing.v1.recipient_pb2 import Recipient
from accord.sharing.v1.recipient_service_pb2 import ListRecipientsRequest, ListRecipientsResponse

from services.portal.peers.peer import following


@pytest.mark.parametrize(
    "parts",
    [
        {"": ([], "")},
        {"": (["a", "b"], "")},
        {"": (["a"], "x"), "x": ([], "y"), "y": (["b", "c"], "")},
    ],
)
async def test_pages_are_followed_to_the_end(parts: dict[str, tuple[list[str], str]]) -> None:
    asked = []

    async def ask(request: ListRecipientsRequest) -> ListRecipientsResponse:
        asked.append((request.page_token, request.kind))
        names, token = parts[request.page_token]
        recipients = [Recipient(name=name) for name in names]
        return ListRecipientsResponse(recipients=recipients, next_page_token=token)

    pages = following(ask, ListRecipientsRequest(kind="hotel"))
    found = [each.name async for page in pages for each in page.recipients]
    assert found == [name for names, _ in parts.values() for name in names]
    assert asked == [(token, "hotel") for token in parts]
