"""Accounts and permissions: linking, seeing, unlinking, and the last way to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.visitor import Visitor


def test_link_facebook_unlink_it_and_keep_the_last_way_to_sign_in(visitor: Visitor) -> None:
    visitor.sign_in("Arjun Nair")
    visitor.open("/account")
    visitor.follow("Link Facebook")
    visitor.page.get_by_label("Nickname").check()
    visitor.press("Continue to Facebook")
    visitor.choose_person("Arjun Nair")
    visitor.page.wait_for_url(f"{visitor.origin}/account?done=linked#main")
    assert "The account is linked." in visitor.text
    assert visitor.page.get_by_role("heading", name="Google", exact=True).is_visible()
    assert visitor.page.get_by_role("heading", name="Facebook", exact=True).is_visible()
    visitor.follow("Unlink Facebook")
    assert visitor.heading == "Unlink Facebook?"
    assert "We also forget what came from it: Nickname" in visitor.text
    visitor.press("Unlink Facebook")
    assert "what came from it is forgotten" in visitor.text
    assert not visitor.page.get_by_role("heading", name="Facebook", exact=True).is_visible()
    visitor.follow("Why this one cannot be unlinked")
    assert visitor.heading == "Google is your only way to sign in"
    assert "nobody could sign in to your account any more" in visitor.text
    assert not visitor.page.get_by_role("button", name="Unlink").is_visible()


def test_an_unlink_page_that_became_the_last_ones_explains_itself(
    open_window: Callable[..., Visitor],
) -> None:
    visitor, meanwhile = open_window(), open_window()
    visitor.sign_in("Arjun Nair")
    meanwhile.sign_in("Arjun Nair")
    visitor.open("/account/link/facebook")
    visitor.press("Continue to Facebook")
    visitor.choose_person("Arjun Nair")
    visitor.page.wait_for_url(f"{visitor.origin}/account?done=linked#main")
    visitor.follow("Unlink Google")
    meanwhile.open("/account")
    meanwhile.follow("Unlink Facebook")
    meanwhile.press("Unlink Facebook")
    visitor.press("Unlink Google")
    assert visitor.heading == "It is your only way to sign in"
    visitor.follow("Go to Accounts and permissions")
    assert visitor.page.get_by_role("heading", name="Google", exact=True).is_visible()


def test_an_identity_of_another_account_cannot_be_linked(visitor: Visitor) -> None:
    visitor.sign_in("Arjun Nair")
    visitor.open("/account/link/google")
    visitor.press("Continue to Google")
    visitor.choose_person("Arjun Nair")
    visitor.page.wait_for_url(f"{visitor.origin}/account?done=linked#main")
    other = "Anna de Vries"
    visitor.sign_out()
    visitor.sign_in(other)
    visitor.open("/account/link/google")
    visitor.press("Continue to Google")
    visitor.choose_person("Arjun Nair")
    assert visitor.heading == "It is linked to another account"
