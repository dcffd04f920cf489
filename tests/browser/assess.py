"""Our own reading of a page for people who do not see it, or see it badly (WCAG 2.2 AA).

What is judged: language, title, landmarks, the order of headings, names of everything that can be
used, labels of fields, captions of tables, ids that are meant, sizes of targets, contrast as
computed by the browser, and whether the page fits its window.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_ASSESS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def assess(page: Page) -> list[str]:
    """Return what is wrong with the page as it stands in its window."""
    found: list[str] = page.evaluate(_ASSESS)
    return found
