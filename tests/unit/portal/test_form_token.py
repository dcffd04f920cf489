"""A form token is good for the browser it was made for, and for no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.form_token import form_token, form_token_holds

keys = st.binary(min_size=32, max_size=64)
browsers = st.text(min_size=1, max_size=60)


@given(keys, browsers)
def test_a_token_holds_for_its_own_browser(key: bytes, browser: str) -> None:
    assert form_token_holds(key, browser, form_token(key, browser))


@given(keys, browsers, browsers)
def test_a_token_holds_for_no_other_browser(key: bytes, one: str, other: str) -> None:
    assert form_token_holds(key, other, form_token(key, one)) == (one == other)


@given(keys, keys, browsers)
def test_a_token_of_another_key_does_not_hold(one: bytes, other: bytes, browser: str) -> None:
    assert form_token_holds(other, browser, form_token(one, browser)) == (one == other)


@given(keys, st.text(max_size=80))
def test_nothing_holds_without_a_browser(key: bytes, presented: str) -> None:
    assert not form_token_holds(key, "", presented)
    assert not form_token_holds(key, "", form_token(key, ""))
