"""Chromium at the portal of a running region, one window for each person of a test."""

from __future__ import annotations

import base64
import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from sandbox.mesh import Mesh, Ports
from tests.browser.visitor import DMITRI, PIETER, SOFIA, Visitor, Window, enrol
from tests.requirement import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, StorageState

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests on one worker, so that one region and one Chromium serve them all."""
    for item in items:
        if "/tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A region of these tests' own: the sandbox has few people, and here they are all new."""
    with Mesh("nl", tmp_path_factory.mktemp("browsed"), Ports.free()) as mesh:
        yield mesh


@pytest.fixture(scope="session")
def chromium(region: Mesh) -> Iterator[Browser]:
    """Chromium from the distribution, trusting the very key of the region's web certificate."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium")
    certificate, _ = region.material.certificate("web")
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    pin = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    trusted = f"--ignore-certificate-errors-spki-list={base64.b64encode(pin).decode()}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*_QUIET, trusted])
        yield browser
        browser.close()


@pytest.fixture
def open_window(region: Mesh, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open windows that share nothing; at the end no page may have complained on its console."""
    opened: list[Visitor] = []

    def window(shape: Window | None = None) -> Visitor:
        visitor = Visitor(chromium, region.portal, shape or Window())
        opened.append(visitor)
        return visitor

    yield window
    complaints = [complaint for visitor in opened for complaint in visitor.complaints]
    for visitor in opened:
        visitor.close()
    assert complaints == []


@pytest.fixture(scope="session")
def staff(region: Mesh, chromium: Browser) -> dict[str, StorageState]:
    """Two officers and an auditor, enrolled once; each name with the cookies of a session."""
    roles = {PIETER: "officer", SOFIA: "officer", DMITRI: "auditor"}
    cookies = {}
    for name, role in roles.items():
        window = Visitor(chromium, region.portal, Window())
        enrol(window, region, role, name)
        if role == "auditor":
            window.state_purpose()
        cookies[name] = window.cookies
        window.close()
    return cookies


@pytest.fixture
def officers(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> tuple[Visitor, Visitor]:
    """The windows of two officers."""
    author, second = (open_window(Window(cookies=staff[name])) for name in (PIETER, SOFIA))
    return author, second


@pytest.fixture
def auditor(open_window: Callable[..., Visitor], staff: dict[str, StorageState]) -> Visitor:
    """The window of an auditor."""
    return open_window(Window(cookies=staff[DMITRI]))


@pytest.fixture
def visitor(open_window: Callable[..., Visitor]) -> Visitor:
    """One window of a desktop, in English."""
    return open_window()
