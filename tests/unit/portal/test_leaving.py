"""Whoever leaves a shared computer leaves nothing of theirs in its browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.portal.domain.form_token import form_token
from tests.unit.portal.conftest import FORM_KEY

if TYPE_CHECKING:
    import httpx

FORM = "f" * 43


@pytest.mark.parametrize(
    ("path", "led"), [("/sign-out", "/?done=signed_out"), ("/sign-up/leave", "/sign-in")]
)
async def test_a_sign_up_that_was_begun_is_forgotten(
    browser: httpx.AsyncClient, path: str, led: str
) -> None:
    answer = await browser.post(
        path,
        data={"token": form_token(FORM_KEY, FORM)},
        headers={
            "sec-fetch-site": "same-origin",
            "cookie": f"__Host-form={FORM}; __Host-registration={'r' * 43}",
        },
    )
    assert (answer.status_code, answer.headers["location"]) == (303, led)
    dropped = [
        cookie
        for cookie in answer.headers.get_list("set-cookie")
        if cookie.startswith("__Host-registration=") and "Max-Age=0" in cookie
    ]
    assert len(dropped) == 1
