"""A tool asks a running region over HTTPS, as the doors' page says."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from sandbox.mesh import Mesh
    from sandbox.tour import Tour


def test_a_tool_with_a_token_asks_over_https(region: Mesh, tour: Tour) -> None:
    trusted = ssl.create_default_context(cafile=region.material.trust_bundle)
    token = region.material.key("tool.token").read_text().strip()
    with httpx.Client(
        verify=trusted, base_url=region.tools, headers={"authorization": f"Bearer {token}"}
    ) as tool:
        metadata = tool.get("/.well-known/authzen-configuration").json()
        assert metadata["policy_decision_point"] == region.tools
        answer = tool.post(
            metadata["access_evaluation_endpoint"],
            json={
                "subject": {"type": "service_provider.delivery", "id": "dhl"},
                "action": {"name": "share", "properties": {"purpose": "delivery"}},
                "resource": {
                    "type": "personal_data",
                    "id": tour.account,
                    "properties": {"categories": ["contact.name"]},
                },
                "context": {"relation": "order-4711"},
            },
        )
    assert answer.json()["decision"] is True, answer.text
