"""Every page, on a phone and on a desktop, light and dark, in both languages: fit to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.assess import assess
from tests.browser.test_officers import fill_terms, register
from tests.browser.visitor import DESKTOP, DMITRI, PHONE, PIETER, Visitor, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playwright.sync_api import StorageState

LOOKS = [("en", False), ("zh-Hant", True)]
NAMES = ["english-light", "chinese-dark"]
OPEN_TO_ALL = ["/", "/sign-in", "/nowhere"]
PERSONAL = [
    "/",
    "/account",
    "/account/link/facebook",
    "/sharing",
    "/sharing/notices",
    *(f"/sharing/offers/{offer}" for offer in ("newsletter", "advertising", "posting")),
    "/map",
    "/shared",
    "/shared?outcome=deny",
    "/officer/contracts",
]


def _reader(
    open_window: Callable[..., Visitor],
    look: tuple[str, bool],
    cookies: StorageState | None = None,
) -> Visitor:
    """Open a window and choose its language, as a person would, by the link on each page."""
    language, dark = look
    visitor = open_window(Window(dark=dark, cookies=cookies))
    visitor.open(f"/language/{language}?from=/nowhere")
    assert visitor.page.locator("html").get_attribute("lang") == language
    return visitor


def _judge(visitor: Visitor, paths: Iterable[str]) -> dict[str, list[str]]:
    found = {}
    for path in paths:
        visitor.open(path)
        for width in (PHONE, DESKTOP):
            visitor.look(width)
            wrong = assess(visitor.page)
            if wrong:
                found[f"{path} at {width}"] = wrong
    return found


@pytest.mark.parametrize("look", LOOKS, ids=NAMES)
def test_pages_for_everyone(open_window: Callable[..., Visitor], look: tuple[str, bool]) -> None:
    assert _judge(_reader(open_window, look), OPEN_TO_ALL) == {}


@pytest.mark.parametrize("look", LOOKS, ids=NAMES)
def test_pages_of_a_person(open_window: Callable[..., Visitor], look: tuple[str, bool]) -> None:
    signed_in = open_window()
    signed_in.sign_in("Anna de Vries")
    visitor = _reader(open_window, look, signed_in.cookies)
    visitor.open("/account")
    unlink = visitor.page.locator("a[href$='/unlink']").first.get_attribute("href") or ""
    visitor.open("/record")
    proof = visitor.page.locator("a[href^='/record/']").first.get_attribute("href") or ""
    assert _judge(visitor, [*PERSONAL, unlink, "/record", proof]) == {}


def test_the_sign_up_form_also_when_it_is_sent_back(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.press("Continue with Facebook")
    visitor.choose_person("Twan Jansen")
    assert _judge(visitor, ["/sign-up"]) == {}
    with visitor.page.expect_navigation():  # to the same address: nothing else tells them apart
        visitor.press("Create my account")
    assert assess(visitor.page) == []


@pytest.mark.parametrize("look", LOOKS, ids=NAMES)
def test_pages_of_an_officer(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState], look: tuple[str, bool]
) -> None:
    author = open_window(Window(cookies=staff[PIETER]))
    register(author, "Parcels Perth", "perth", "service_provider.delivery")
    author.open("/officer/contracts/new")
    fill_terms(author, "Parcels Perth", document=True)
    author.press("Save the draft")
    contract = author.path
    visitor = _reader(open_window, look, staff[PIETER])
    pages = ["/officer/recipients", "/officer/contracts", "/officer/contracts/new"]
    pages += ["/officer/explore", "/officer/what-if"]
    parts = [contract, f"{contract}/amend", f"{contract}/suspend", f"{contract}/terminate"]
    assert _judge(visitor, [*pages, *parts]) == {}


@pytest.mark.parametrize("look", LOOKS, ids=NAMES)
def test_pages_of_an_auditor(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState], look: tuple[str, bool]
) -> None:
    visitor = _reader(open_window, look, staff[DMITRI])
    visitor.open("/audit")
    trace = visitor.page.locator("a[href^='/audit/traces/']").first.get_attribute("href") or ""
    pages = ["/audit", "/audit/purpose", trace, "/audit/entries/0", "/audit/traces/" + "ab" * 16]
    assert _judge(visitor, pages) == {}


def test_staff_begin_at_any_of_their_pages(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    officer = open_window(Window(cookies=staff[PIETER]))
    officer.open("/officer/recipients")
    menu = officer.page.locator("nav.pages > ul a")
    pages = {each.get_attribute("href") for each in menu.all()}
    officer.open("/")
    cards = officer.page.locator("main .card a").all()
    assert len(pages) == 8
    assert pages <= {each.get_attribute("href") for each in cards}
    assert assess(officer.page) == []


@pytest.mark.parametrize(
    ("path", "folded", "inside"),
    [("/account", "Staff pages", "Recipients"), ("/officer/what-if", "My own data", "Sharing")],
)
def test_the_menu_of_staff_is_two_lines_and_unfolds_without_scripts(
    open_window: Callable[..., Visitor],
    staff: dict[str, StorageState],
    path: str,
    folded: str,
    inside: str,
) -> None:
    officer = open_window(Window(cookies=staff[PIETER], scripts=False))
    officer.open(path)
    menu = officer.page.get_by_role("navigation", name="Pages")
    boxes = [each.bounding_box() for each in menu.locator("a:visible, summary").all()]
    assert len({round(box["y"] / 10) for box in boxes if box}) <= 2
    assert not menu.get_by_role("link", name=inside).is_visible()
    menu.get_by_text(folded).click()
    menu.get_by_role("link", name=inside, exact=True).click()
    assert officer.heading == inside
