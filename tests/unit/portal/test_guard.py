"""What every answer carries, and what no page ever sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from services.portal.api.forms import MAXIMUM_BODY_BYTES

if TYPE_CHECKING:
    import httpx

PAGES = ["/static/portal.css", "/nowhere", "/account", "/officer/contracts", "/audit"]
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("path", PAGES)
async def test_every_answer_carries_the_security_headers(
    browser: httpx.AsyncClient, path: str
) -> None:
    headers = (await browser.get(path)).headers
    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self' https://id.test https://login.test",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert headers["strict-transport-security"].startswith("max-age=")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert re.fullmatch(r"[0-9a-f]{32}", headers["accord-reference"])


async def test_pages_are_never_stored_and_style_is(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/nowhere")).headers["cache-control"] == "no-store"
    style = await browser.get("/static/portal.css")
    assert "immutable" in style.headers["cache-control"]


async def test_a_trace_of_the_browsers_own_making_is_ignored(browser: httpx.AsyncClient) -> None:
    theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await browser.get(
        "/nowhere", headers={"traceparent": f"00-{theirs}-00f067aa0ba902b7-01"}
    )
    assert answer.headers["accord-reference"] != theirs
    assert answer.headers["accord-reference"] in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "https://portal.test:8443"}, 403),
    ],
)
async def test_a_post_from_elsewhere_is_refused(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await browser.post("/sign-in/google", headers=headers, data={"token": "x"})
    assert answer.status_code == status
    assert "did not come from a page of ours" in answer.text  # not even the token was looked at


@pytest.mark.parametrize("headers", [SAME_ORIGIN, {"origin": "https://portal.test:8443"}])
async def test_a_post_from_here_still_needs_the_form_token(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await browser.post("/sign-in/google", headers=headers, data={"token": "0" * 64})
    assert answer.status_code == 403
    assert "too old" in answer.text


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "status"),
    [
        (("GET", "/nowhere"), {}, b"", 404),
        (("GET", "/static/../settings.py"), {}, b"", 404),
        (("GET", "/static/nothing.css"), {}, b"", 404),
        (("POST", "/account"), SAME_ORIGIN, b"", 405),
        (("PUT", "/account"), {}, b"", 405),
        (("TRACE", "/"), {}, b"", 405),
        (("GET", "/" + "a" * 3000), {}, b"", 414),
        (("GET", "/?" + "a" * 3000), {}, b"", 414),
        (("GET", "/"), {"host": "other.test"}, b"", 421),
        (("POST", "/sign-in/google"), SAME_ORIGIN, b"token=x", 415),
        (
            ("POST", "/sign-in/google"),
            SAME_ORIGIN | {"content-type": "application/x-www-form-urlencoded"},
            b"token=" + b"x" * MAXIMUM_BODY_BYTES,
            413,
        ),
        (
            ("POST", "/sign-in/google"),
            SAME_ORIGIN | {"content-type": "application/x-www-form-urlencoded"},
            b"token=%ff%fe",
            400,
        ),
        (
            ("POST", "/sign-in/google"),
            SAME_ORIGIN | {"content-type": "application/x-www-form-urlencoded"},
            b"token=%00",
            400,
        ),
    ],
)
async def test_bad_requests_are_answered_with_a_page_that_says_so(
    browser: httpx.AsyncClient,
    request_line: tuple[str, str],
    headers: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    answer = await browser.request(*request_line, headers=headers, content=body)
    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert answer.headers["accord-reference"] in answer.text


async def test_a_peer_that_is_away_is_a_page_not_a_crash(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/sign-in")
    assert answer.status_code == 503
    assert "try again" in answer.text


@pytest.mark.parametrize(
    "path", ["/account", "/sharing", "/shared", "/officer/recipients", "/audit"]
)
async def test_a_page_of_ones_own_leads_to_sign_in_and_remembers_the_way(
    browser: httpx.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert f"__Host-next={path}" in answer.headers["set-cookie"].replace('"', "")


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        ("/sharing", "/sharing"),
        ("https://evil.test/", "/"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/sharing?x=1", "/"),
        ("", "/"),
    ],
)
async def test_a_language_is_remembered_and_leads_nowhere_else(
    browser: httpx.AsyncClient, wanted: str, led: str
) -> None:
    answer = await browser.get("/language/zh-Hant", params={"from": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, led)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-language=zh-Hant;")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"))
    assert "Domain" not in cookie
    page = await browser.get("/nowhere", headers={"cookie": "__Host-language=zh-Hant"})
    assert '<html lang="zh-Hant">' in page.text


async def test_the_browsers_wish_decides_until_a_language_is_chosen(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("/nowhere", headers={"accept-language": "zh-TW,zh;q=0.9,en;q=0.8"})
    assert '<html lang="zh-Hant">' in page.text
    assert page.headers["content-language"] == "zh-Hant"


async def test_a_callback_without_a_flow_of_this_browser_is_refused(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/callback/google?state=s&code=c")
    assert answer.status_code == 403
    assert "not begun here" in answer.text


async def test_nothing_a_person_sent_is_repeated_unescaped(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/nowhere/<script>alert(1)</script>?done=<script>")
    assert "<script" not in answer.text
