"""People in browsers, for the mesh tests."""

import re
from dataclasses import dataclass

from sandbox.browser import Browser


@dataclass(frozen=True)
class Person:
    """Somebody with an account, in a browser that is signed in."""

    browser: Browser
    account: str

    @property
    def session(self) -> str:
        """The secret of the session, as the portal's cookie holds it."""
        return self.browser.cookie("__Host-session")


def sign_up(browser: Browser, key: str, birth_date: str = "1990-05-17") -> Person:
    """Sign somebody of the sandbox up with Google, resident in the Netherlands."""
    page = browser.submit(browser.open("/").form("/sign-in/google"))
    page = browser.submit(page.form(), person=key)
    page = browser.submit(
        page.form("/sign-up"), country="NL", birth_date=birth_date, imports=["email"], notice="yes"
    )
    found = re.search(r"accounts/nl-[0-9a-z]{26}", browser.open("/account").html)
    assert found, page
    return Person(browser, found[0])
