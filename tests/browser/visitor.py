"""A person at a browser window: what they see and what they do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, StorageState

    from sandbox.mesh import Mesh

PIETER, SOFIA, DMITRI = "Pieter Bakker", "Sofía Herrera", "Дмитрий Орлов"
PATIENCE_MS = 20_000
DESKTOP = 1280
PHONE = 360


@dataclass(frozen=True)
class Window:
    """How a window looks, and in which language it asks for pages."""

    width: int = DESKTOP
    language: str = "en"
    dark: bool = False
    scripts: bool = True
    cookies: StorageState | None = None


class Visitor:
    """One window with cookies of its own."""

    def __init__(self, chromium: Browser, origin: str, window: Window) -> None:
        self.origin = origin
        self.complaints: list[str] = []
        self._context = chromium.new_context(
            viewport={"width": window.width, "height": 800},
            locale=window.language,
            color_scheme="dark" if window.dark else "light",
            java_script_enabled=window.scripts,
            storage_state=window.cookies,
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self.page = self._context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        # Chromium itself reports a refused navigation; the page shown then is the test's matter.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    @property
    def cookies(self) -> StorageState:
        """Return the window's cookies, to open another with them."""
        return self._context.storage_state()

    def close(self) -> None:
        """Close the window."""
        self._context.close()

    def open(self, path: str) -> None:
        """Go to a page of the portal."""
        self.page.goto(self.origin + path)

    def look(self, width: int) -> None:
        """Look at the page in a window of another width."""
        self.page.set_viewport_size({"width": width, "height": 800})

    @property
    def path(self) -> str:
        """Return the path of the page."""
        return urlsplit(self.page.url).path

    @property
    def heading(self) -> str:
        """Return the page's first heading."""
        return self.page.locator("h1").inner_text()

    @property
    def text(self) -> str:
        """Return what stands on the page."""
        return re.sub(r"\s+", " ", self.page.locator("body").inner_text())

    def press(self, words: str) -> None:
        """Press the button whose words begin so."""
        self.page.get_by_role("button", name=re.compile(f"^{re.escape(words)}")).first.click()

    def follow(self, words: str) -> None:
        """Follow the link whose words begin so."""
        self.page.get_by_role("link", name=re.compile(f"^{re.escape(words)}")).first.click()

    def choose_person(self, name: str) -> None:
        """Say at the provider who one is."""
        self.page.get_by_role("button", name=name).click()

    def sign_in(self, name: str, provider: str = "Google", start: str = "/sign-in") -> None:
        """Sign in at a provider, and sign up when it is the first time."""
        self.open(start)
        self.press(f"Continue with {provider}")
        self.choose_person(name)
        self.page.wait_for_url(re.compile(re.escape(self.origin)))
        if self.path == "/sign-up":
            self.page.get_by_label("Country or region").select_option("NL")
            self.page.get_by_label("I have read").check()
            self.press("Create my account")

    def state_purpose(self, purpose: str = "quarterly review") -> None:
        """Say why one reads the log, as an auditor is asked once in a session."""
        self.open("/audit/purpose")
        self.page.get_by_label("Purpose").fill(purpose)
        self.press("Go on")
        assert self.path in {"/audit", "/officer/explore"}

    def sign_out(self) -> None:
        """Sign out."""
        self.press("Sign out")
        self.page.wait_for_url(f"{self.origin}/?done=signed_out")

    @property
    def account(self) -> str:
        """Return the name of the account that is signed in."""
        self.open("/account")
        found = re.search(r"accounts/nl-[0-9a-z]{26}", self.text)
        assert found is not None
        return found[0]


def invite(region: Mesh, role: str, name: str) -> str:
    """Invite somebody to a role on the command line, and return the path of the invitation."""
    done = subprocess.run(  # noqa: S603  a command of our own, no shell
        [
            str(Path(sys.executable).parent / "accord"),
            *("--profile", str(region.material.profile("operator"))),
            *("staff", "add", role, name, "--json"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    link: str = json.loads(done.stdout)["link"]
    return link.removeprefix(region.portal)


def enrol(visitor: Visitor, region: Mesh, role: str, name: str) -> None:
    """Open an invitation in a window that is not signed in, sign in, and accept."""
    path = invite(region, role, name)
    visitor.sign_in(name, start=path)
    assert visitor.path == path
    visitor.press("Accept the role")
    assert "The role is yours" in visitor.text
