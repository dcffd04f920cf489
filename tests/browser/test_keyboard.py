"""Every page by keys alone: Tab comes to all there is to press and fill in, and one sees where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.browser.test_officers import fill_terms, register
from tests.browser.visitor import DMITRI, PIETER, Visitor, Window
from tests.mesh.records import agree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from playwright.sync_api import StorageState

    from sandbox.mesh import Mesh

PERSONAL = (
    "/",
    "/account",
    "/account/link/facebook",
    "/sharing",
    "/sharing/notices",
    "/sharing/offers/newsletter",
    "/map",
    "/shared",
    "/record",
)
# Opens what is folded, marks what Tab must come to, and listens for what gets the focus. Of radio
# buttons that belong together one is a stop, the arrows do the rest. Returns how often to press.
_LISTEN = """() => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const look = (element) => {
    const style = getComputedStyle(element);
    const outline = style.outlineStyle === "none" ? "" : style.outline;
    return [outline, style.boxShadow].join();
  };
  const groups = new Set();
  const wanted = [...document.querySelectorAll(
    "a[href],button,summary,select,textarea,input:not([type=hidden])",
  )].filter((element) => {
    const box = element.getBoundingClientRect();
    if (element.disabled || box.width === 0 || getComputedStyle(element).visibility === "hidden")
      return false;
    if (element.type !== "radio") return true;
    const known = groups.has(element.name);
    groups.add(element.name);
    return !known;
  });
  const of = (element) =>
    element.type === "radio" ? wanted.find((each) => each.name === element.name) : element;
  window.missed = new Map(wanted.map((element) => [element, look(element)]));
  window.unseen = [];
  document.addEventListener("focusin", ({ target }) => {
    const before = window.missed.get(of(target));
    if (before === undefined) return;
    window.missed.delete(of(target));
    const box = target.getBoundingClientRect();
    const shown = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    if (look(target) === before || !shown) window.unseen.push(target.outerHTML.slice(0, 140));
  });
  const parts = wanted.filter((element) => /^(date|datetime-local|time|month)/.test(element.type));
  return wanted.length + 7 * parts.length + 2;
}"""
_TOLD = """() => [
  ...[...window.missed.keys()].map((element) => "not reached: " + element.outerHTML.slice(0, 140)),
  ...window.unseen.map((html) => "focus not seen: " + html),
]"""
_AT = """(selector) => document.activeElement?.matches(selector)"""
_FARTHEST = 200


def unreached(visitor: Visitor, paths: Iterable[str]) -> dict[str, list[str]]:
    """What Tab does not come to, or not visibly, by page; each page in one pass."""
    found = {}
    for path in paths:
        visitor.open(path)
        assert visitor.path == path
        for _ in range(visitor.page.evaluate(_LISTEN)):
            visitor.page.keyboard.press("Tab")
        wrong = visitor.page.evaluate(_TOLD)
        if wrong:
            found[path] = wrong
    return found


def tab_to(visitor: Visitor, selector: str) -> None:
    """Press Tab until the focus is on such an element."""
    for _ in range(_FARTHEST):
        visitor.page.keyboard.press("Tab")
        if visitor.page.evaluate(_AT, selector):
            return
    raise AssertionError(selector)


def test_a_person_reaches_all_and_withdraws_by_keys_alone(visitor: Visitor) -> None:
    assert unreached(visitor, ["/", "/sign-in"]) == {}
    visitor.sign_in("Anna de Vries")
    visitor.open("/sharing/offers/newsletter")
    tab_to(visitor, "[name=categories]")
    visitor.page.keyboard.press("Space")
    tab_to(visitor, "button[value=yes]")
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    assert visitor.path == "/sharing"
    withdraw = "form[action^='/sharing/consents/'][action$='/withdraw'] button"
    visitor.open("/sharing")
    consent = visitor.page.locator("a[href^='/sharing/consents/']").first.get_attribute("href")
    assert consent
    assert unreached(visitor, [*PERSONAL, consent.removesuffix("/receipt")]) == {}
    visitor.open("/sharing")
    tab_to(visitor, withdraw)
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
    assert "Withdrawn. It counts from now on" in visitor.text


def test_an_officer_reaches_all(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    officer = open_window(Window(cookies=staff[PIETER]))
    register(officer, "Sleds", "sleds", "service_provider.delivery")
    officer.open("/officer/contracts/new")
    fill_terms(officer, "Sleds", document=True)
    officer.press("Save the draft")
    contract = officer.path
    pages = ["recipients", "recipients/sleds/endpoint", "recipients/sleds/people"]
    pages += ["contracts", "contracts/new", "expiries"]
    pages += ["instruments", "instruments/new", "revocations", "explore", "what-if"]
    pages += ["erasures", "erasures/new", "holds/new"]
    paths = [*(f"/officer/{page}" for page in pages), contract, f"{contract}/amend"]
    assert unreached(officer, paths) == {}


def test_an_officer_supposes_other_rules_by_keys_alone(officers: tuple[Visitor, Visitor]) -> None:
    officer = officers[0]
    officer.open("/officer/what-if")
    tab_to(officer, "[name=change]")
    officer.page.keyboard.press("Space")
    for selector in ("#rules", "#notices", "#whole-yes", "#sample", "main form button"):
        tab_to(officer, selector)
    with officer.page.expect_navigation():
        officer.page.keyboard.press("Enter")
    assert "Choose at least one file of the rules" in officer.text


def test_an_auditor_reaches_all_and_states_a_purpose_by_keys_alone(
    open_window: Callable[..., Visitor], staff: dict[str, StorageState]
) -> None:
    auditor = open_window(Window(cookies=staff[DMITRI]))
    keys = auditor.page.keyboard
    auditor.open("/audit/purpose")
    tab_to(auditor, "#purpose")
    keys.type("by keys")
    tab_to(auditor, "main form button")
    with auditor.page.expect_navigation():
        keys.press("Enter")
    assert auditor.path == "/audit"
    trace = auditor.page.locator("a[href^='/audit/traces/']").first.get_attribute("href")
    assert trace
    paths = ["/audit", "/audit/purpose", trace, "/audit/entries/0"]
    assert unreached(auditor, paths) == {}
    auditor.open("/audit")
    tab_to(auditor, "main summary")
    keys.press("Enter")
    tab_to(auditor, "#action")
    keys.type("account:account:register")
    with auditor.page.expect_navigation():
        keys.press("Enter")
    tab_to(auditor, "a[href^='/audit/traces/']")
    with auditor.page.expect_navigation():
        keys.press("Enter")
    assert auditor.heading == "One request"


def test_an_officer_takes_a_question_apart_by_keys_alone(
    visitor: Visitor, officers: tuple[Visitor, Visitor], region: Mesh
) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright's own loop runs in this thread
        kind = "service_provider.delivery"
        apart.submit(agree, region, "canoes", kind, "delivery", "contact").result()
    visitor.sign_in("Anna de Vries")
    account = visitor.account
    officer = officers[0]
    keys = officer.page.keyboard
    officer.open("/officer/explore")
    for field, words in (
        ("account", account),
        ("service", "Mi Store"),
        ("recipient", "canoes"),
        ("purpose", "Delivery"),
    ):
        tab_to(officer, f"#{field}")
        keys.type(words)
    tab_to(officer, "main summary")
    keys.press("Enter")
    tab_to(officer, "[name=categories]")
    keys.press("Space")
    tab_to(officer, "main form button")
    with officer.page.expect_navigation():
        keys.press("Enter")
    assert officer.page.locator(".gates > li").count() == 8
    assert account in officer.page.locator("#account").input_value()
