"""The examples of the SDK's README do what they say."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord_client import blocking

from tests.contract.sharing.conftest import rows
from tests.contract.sharing.test_guard import profile, today, watched
from tests.contract.sharing.test_permits import delivering

if TYPE_CHECKING:
    from tests.contract.sharing.conftest import Sharing

README = Path(__file__).parents[3] / "sdk/accord_client/README.md"


def examples() -> dict[str, Any]:
    """What the README's Python defines, all of it in one module."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec("\n".join(blocks), names)  # noqa: S102  our own text
    return names


async def test_ask_before_sharing(sharing: Sharing) -> None:
    await today(sharing)
    ship = examples()["ship"]
    given = profile(sharing)
    assert await ship(given, sharing.person, "order-1") == ()
    assert rows(sharing.url, "disclosures") == 1
    assert await ship(given, sharing.officer, "order-1") == ("SUBJECT_UNKNOWN",)
    assert rows(sharing.url, "disclosures") == 1


async def test_in_threads(sharing: Sharing) -> None:
    await today(sharing)
    count = examples()["count"]
    given, question = profile(sharing), sharing.question()
    assert await asyncio.to_thread(count, given, question, 5) == 5


async def test_a_typed_client_in_threads(sharing: Sharing) -> None:
    await delivering(sharing)
    object_to = examples()["object_to"]
    found = await asyncio.to_thread(object_to, profile(sharing), "Session_1", "fraud_prevention")
    assert [each.recipient.name for each in found] == ["recipients/dhl"]
    assert rows(sharing.url, "preferences") == 1


async def test_what_a_refused_call_says(sharing: Sharing) -> None:
    await today(sharing)
    may_share = examples()["may_share"]
    async with watched(sharing) as accord:
        assert await may_share(accord, sharing.question()) == (True, "")
        unknown = sharing.question(purpose="nonsense")
        assert await may_share(accord, unknown) == (False, "question.purpose: unknown key")


async def test_a_holder_is_shown_a_permit(sharing: Sharing) -> None:
    await today(sharing)
    print_label = examples()["print_label"]
    asker, holder = profile(sharing), profile(sharing, "mi-com")
    mi_store, mi_com = (f"spiffe://nl.accord.internal/app/{app}" for app in ("mi-store", "mi-com"))

    def work() -> list[Any]:
        with blocking.Accord.connect(holder) as accord, blocking.Accord.connect(asker) as asking:
            accord.heard()
            permit = asking.check(sharing.question()).permit
            shown = ((mi_store, sharing.person), (mi_com, sharing.person), (mi_store, ""))
            return [print_label(accord, permit, *who) for who in shown]

    assert await asyncio.to_thread(work) == [("record_disclosure",), "refused", "refused"]


async def test_a_channel_and_a_route_are_guarded(sharing: Sharing) -> None:
    await today(sharing)
    names = examples()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    class Label:
        """A request that names whose it is."""

        account = sharing.officer
        order = "order-1"

    async with watched(sharing) as accord:
        channel = names["channel"](accord, "127.0.0.1:9", grpc.local_channel_credentials(), [])
        async with channel:
            print_label: Any = channel.unary_unary("/labels.v1.Labels/Print", lambda _: b"")
            with pytest.raises(grpc.aio.AioRpcError) as no:
                await print_label(Label(), timeout=5)
        assert no.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "SUBJECT_UNKNOWN" in str(no.value.details())
        path = f"/labels/{sharing.person.removeprefix('accounts/')}/order-1"
        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await names["route"](accord)(scope, receive, send)
        assert (sent[0]["status"], sent[1]["body"]) == (
            200,
            b'{"obligations":["record_disclosure"]}',
        )
