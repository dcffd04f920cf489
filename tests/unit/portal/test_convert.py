"""A list that comes in parts is read whole, and in its order."""

from __future__ import annotations

import pytest

from services.portal.peers.convert import all_pages


@pytest.mark.parametrize(
    "pages",
    [
        {"": ([], "")},
        {"": ([1, 2], "")},
        {"": ([1], "a"), "a": ([], "b"), "b": ([2, 3], "")},
    ],
)
async def test_pages_are_followed_to_the_end(pages: dict[str, tuple[list[int], str]]) -> None:
    asked = []

    async def page(token: str) -> tuple[list[int], str]:
        asked.append(token)
        return pages[token]

    assert await all_pages(page) == [each for part, _ in pages.values() for each in part]
    assert asked == list(pages)
