"""Templates hold what the content security policy would refuse to run, and escape the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.portal.api.render import host_of

TEMPLATES = sorted(Path("services/portal/api/templates").glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_script_no_inline_style_no_unescaped_value(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<script|\son[a-z]+=|\sstyle=|<style|javascript:", text)
    assert "|safe" not in text.replace(" ", "")
    assert "autoescape" not in text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_posts_carries_the_token(template: Path) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", template.read_text(), re.DOTALL):
        assert re.search(r"\b(parts\.)?(token|once)\(v\)", form), form[:80]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://lh3.example.com/a/b.png?x=1", "lh3.example.com"),
        ("not an address", "not an address"),
        ("https://[::1", "https://[::1"),
    ],
)
def test_an_address_is_shown_by_its_host(address: str, shown: str) -> None:
    assert host_of(address) == shown
