"""Nobody is sent anywhere but to a page of the portal."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.domain.paths import local_path

HERE = "https://portal.test/"


@pytest.mark.parametrize("path", ["/", "/account", "/staff/enrol/Ab-_1", "/audit/entries/7"])
def test_a_page_of_ours_passes(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["//evil.test", "/\\evil.test", "https://evil.test", "evil", "/a?b=c", "/a#b", "/..", "/a/../b",
     "/a//b", "/%2f", "/a\n", "javascript:alert(1)", "/" + "a" * 300],
)  # fmt: skip
def test_everything_else_leads_home(path: str) -> None:
    assert local_path(path) == "/"


@given(st.text(alphabet=st.sampled_from("/\\.:?#@%aZ0-_~ \t\n"), max_size=40))
def test_what_passes_stays_on_this_host(candidate: str) -> None:
    there = urlsplit(urljoin(HERE, local_path(candidate)))
    assert (there.scheme, there.netloc, there.query) == ("https", "portal.test", "")
