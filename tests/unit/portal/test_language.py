"""The language of a page: chosen, else wished for, else English; malformed wishes are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.language import LANGUAGES, choose_language


@pytest.mark.parametrize(
    ("remembered", "accepted", "expected"),
    [
        (None, "", "en"),
        (None, "fr", "en"),
        (None, "zh-TW", "zh-Hant"),
        (None, "zh-CN,zh;q=0.9", "zh-Hant"),
        (None, "en;q=0.5,zh-HK;q=0.9", "zh-Hant"),
        (None, "nl,en;q=0.8,zh;q=0.7", "en"),
        (None, "zh;q=0,en", "en"),
        (None, "zh;q=high", "en"),
        ("zh-Hant", "en", "zh-Hant"),
        ("en", "zh", "en"),
        ("xx", "zh", "zh-Hant"),
    ],
)
def test_choice_then_wish_then_english(
    remembered: str | None, accepted: str, expected: str
) -> None:
    assert choose_language(remembered, accepted) == expected


@given(st.none() | st.text(max_size=20), st.text(max_size=900))
def test_any_header_leads_to_a_language(remembered: str | None, accepted: str) -> None:
    assert choose_language(remembered, accepted) in LANGUAGES
