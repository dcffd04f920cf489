"""A person comes to the portal, signs up, and is told plainly when something does not work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.visitor import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.visitor import Visitor


MEILING = "陳美玲"


def _tab_to(visitor: Visitor, words: str) -> None:
    """Move the focus on, as the keyboard does, until it stands on what is called so."""
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        here = visitor.page.evaluate(
            "() => { const at = document.activeElement;"
            " return (at.labels?.[0] ?? at).textContent.trim().replace(/\\s+/g, ' '); }"
        )
        if here.startswith(words):
            return
    pytest.fail(f"the keyboard does not reach {words!r}")


def test_sign_up_with_google_by_keyboard_alone(visitor: Visitor) -> None:
    keyboard = visitor.page.keyboard
    visitor.open("/")
    keyboard.press("Tab")
    assert visitor.page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    _tab_to(visitor, "Continue with Google")
    keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile("/google/"))
    _tab_to(visitor, MEILING)
    keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile("/sign-up"))
    _tab_to(visitor, "Country or region")
    keyboard.type("Netherlands")
    _tab_to(visitor, "Date of birth")
    keyboard.type("04011990")
    _tab_to(visitor, "Nickname")
    keyboard.press("Space")
    _tab_to(visitor, "I have read")
    keyboard.press("Space")
    _tab_to(visitor, "Create my account")
    keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile("/account"))
    assert "Your account is ready" in visitor.text
    assert "1 April 1990" in visitor.text
    assert "Netherlands" in visitor.text
    assert "@" not in visitor.text  # the email was not chosen, so it was not imported
    keyboard.press("Tab")
    _tab_to(visitor, "Sign out")
    keyboard.press("Enter")
    visitor.page.wait_for_url(re.compile(r"/\?done=signed_out"))


def test_an_incomplete_form_says_what_is_missing_and_leads_there(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.press("Continue with Facebook")
    visitor.choose_person("Twan Jansen")
    visitor.press("Create my account")
    assert visitor.page.title().startswith("Please check:")
    assert visitor.page.get_by_role("alert").is_visible()
    visitor.follow("Choose the country")
    assert visitor.page.evaluate("document.activeElement.id") == "country"
    assert visitor.page.locator("#country").get_attribute("aria-invalid") == "true"
    assert visitor.page.locator("#notice-wrong").is_visible()


def test_a_person_of_another_home_is_told_where_to_go(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.press("Continue with Facebook")
    visitor.choose_person("Twan Jansen")
    visitor.page.get_by_label("Country or region").select_option("IN")
    visitor.page.get_by_label("I have read").check()
    visitor.press("Create my account")
    assert visitor.heading == "Your home is another data center"
    assert "India" in visitor.text
    assert "Nothing was stored here" in visitor.text


def test_whoever_is_not_meant_starts_again_and_leaves_nothing(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.press("Continue with Facebook")
    visitor.choose_person("Twan Jansen")
    visitor.press("Start again")
    assert visitor.path == "/sign-in"
    visitor.open("/sign-up")
    assert visitor.heading == "There is no sign-up to go on with"


def test_saying_no_at_the_provider_is_fine(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.press("Continue with Google")
    visitor.press("Cancel")
    assert visitor.heading == "You said no, and that is fine"
    visitor.follow("Go to sign-in")
    assert visitor.path == "/sign-in"


def test_a_callback_that_is_replayed_signs_nobody_in(
    visitor: Visitor, open_window: Callable[..., Visitor]
) -> None:
    callbacks: list[str] = []
    visitor.page.on("request", lambda r: callbacks.append(r.url) if "/callback/" in r.url else None)
    visitor.sign_in(MEILING)
    assert len(callbacks) == 1
    thief = open_window()
    thief.open(callbacks[0].removeprefix(thief.origin))
    assert thief.heading == "This sign-in was not begun here"
    visitor.open(callbacks[0].removeprefix(visitor.origin))
    assert visitor.heading == "This sign-in was not begun here"
    visitor.open("/account")
    assert visitor.heading == "Accounts and permissions"


def test_everything_works_without_scripts(open_window: Callable[..., Visitor]) -> None:
    visitor = open_window(Window(scripts=False))
    visitor.sign_in(MEILING)
    visitor.open("/sharing/offers/newsletter")
    visitor.page.get_by_label("Email address").check()
    visitor.press("Yes, I agree")
    assert visitor.path == "/sharing"
    visitor.press("Withdraw")
    assert "Withdrawn." in visitor.text


def test_a_language_is_chosen_without_scripts_and_remembered(
    open_window: Callable[..., Visitor],
) -> None:
    visitor = open_window(Window(scripts=False))
    visitor.open("/")
    visitor.follow("繁體中文")
    assert visitor.page.locator("html").get_attribute("lang") == "zh-Hant"
    assert visitor.heading.startswith("您的資料")
    visitor.open("/sign-in")
    assert visitor.heading == "登入或註冊"
    visitor.follow("English")
    assert visitor.path == "/sign-in"
    assert visitor.heading == "Sign in or sign up"
