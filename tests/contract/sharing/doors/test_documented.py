"""docs/doors.md is run as it stands: each request that it shows gets the answer that it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.contract.sharing.conftest import Sharing
from tests.contract.sharing.doors.conftest import (
    EVALUATION,
    EVALUATIONS,
    RESOURCES,
    delivering,
    tool,
)

_TEXT = (Path(__file__).parents[4] / "docs" / "doors.md").read_text(encoding="utf-8")
_PERSON = "accounts/nl-0123456789abcdefghjkmnpqrs"
_ANY = "…"


async def test_the_documented_requests_get_the_documented_answers(sharing: Sharing) -> None:
    await delivering(sharing)
    client = await tool(sharing)
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)]
    pairs = list(zip(shown[::2], shown[1::2], strict=True))
    for endpoint, (asked, answer) in zip((EVALUATION, EVALUATIONS, RESOURCES), pairs, strict=True):
        body = json.dumps(asked).replace(_PERSON, sharing.person)
        got = await client.post(
            endpoint, content=body, headers={"content-type": "application/json"}
        )
        assert got.status_code == 200, got.text
        assert_shown(answer, got.json())


def assert_shown(shown: Any, got: Any) -> None:
    """What is shown is there; what is left out of a shown object may be there."""
    match shown:
        case dict():
            for key, value in shown.items():
                assert_shown(value, got[key])
        case list():
            assert len(shown) == len(got)
            for one, other in zip(shown, got, strict=True):
                assert_shown(one, other)
        case _:
            assert got == shown or (shown == _ANY and got)
