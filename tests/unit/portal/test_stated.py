"""The purpose of reading: stated once a session, sealed for it, and on one line."""

from __future__ import annotations

import pytest

from services.portal.domain.stated import StatedPurpose, is_purpose

SESSION = "s" * 43
PURPOSE = "review of Q3 第三季"


@pytest.fixture
def stated() -> StatedPurpose:
    return StatedPurpose(b"f" * 32)


def test_a_purpose_is_read_in_its_own_session_alone(stated: StatedPurpose) -> None:
    cookie = stated.seal(PURPOSE, SESSION)
    assert "Q3" not in cookie
    assert stated.read(cookie, SESSION) == PURPOSE
    assert stated.read(cookie, "t" * 43) == ""
    assert StatedPurpose(b"g" * 32).read(cookie, SESSION) == ""


def test_what_was_touched_or_was_never_sealed_states_nothing(stated: StatedPurpose) -> None:
    cookie = stated.seal(PURPOSE, SESSION)
    for touched in (cookie[:-2], "B" + cookie[1:], cookie[::-1], "", "x" * 3600, "é"):
        assert stated.read(touched, SESSION) == ""


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("incident 12", True),
        ("x" * 200, True),
        ("", False),
        ("  ", False),
        ("x" * 201, False),
        ("two\nlines", False),
        ("bell\x07", False),
        ("separated\u2028lines", False),
    ],
)
def test_a_purpose_says_something_on_one_line(text: str, *, holds: bool) -> None:
    assert is_purpose(text) is holds
