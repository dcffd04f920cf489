"""A person sees who has which of their data: drawn, and as a table."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from accord.sharing.v1 import decision_pb2 as sharing
from accord_client.clients import Sharing

from tests.browser.assess import assess
from tests.browser.test_officers import register
from tests.browser.visitor import DESKTOP, PHONE
from tests.mesh.records import agree, profile

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from tests.browser.visitor import Visitor


def test_the_map_tells_who_has_data_and_who_could_get_it(
    visitor: Visitor, officers: tuple[Visitor, Visitor], region: Mesh
) -> None:
    register(officers[0], "Purse of Poznań", "purse", "payment_provider")
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        kind = "service_provider.delivery"
        apart.submit(agree, region, "vans", kind, "delivery", "contact").result()
    visitor.sign_in("Anna de Vries")
    account = visitor.account
    with ThreadPoolExecutor(1) as apart:
        decision = apart.submit(asyncio.run, _ask(region, account)).result()
    assert decision.outcome == sharing.OUTCOME_PERMIT

    visitor.open("/map")
    assert visitor.heading == "Who has my data"
    picture = visitor.page.get_by_role("img", name="Map of who has your data")
    told = picture.locator("desc").text_content() or ""
    assert "Purse of Poznań: Was permitted" in told
    assert "vans: Possible now" in told
    row = visitor.page.get_by_role("row", name="Purse of Poznań").filter(has_text="permitted")
    assert "Taking your payment" in row.inner_text()
    assert "§3.1.1" in row.inner_text()
    could = visitor.page.get_by_role("row", name="vans").filter(has_text="Mi Store")
    assert "Only for an order or request that is named" in could.first.inner_text()
    assert "At the latest until" in could.first.inner_text()
    for width in (PHONE, DESKTOP):
        visitor.look(width)
        assert assess(visitor.page) == []
        # Whole and readable in the window: nothing of the picture is cut off or scaled away.
        box = picture.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    row.get_by_role("link", name="The decision").click()
    assert visitor.heading == "Purse of Poznań was permitted: Taking your payment"


async def _ask(region: Mesh, account: str) -> sharing.Decision:
    async with Sharing.connect(profile(region, "mi-store")) as client:
        return await client.check(
            sharing.Question(
                account=account,
                service="mi_store",
                recipient="recipients/purse",
                purpose="payment",
                categories=["payment.request", "payment.total"],
                relation="order-4711",
            )
        )
