"""Text is readable in both schemes: WCAG 2.2 AA contrast, computed from the style sheet itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = Path("services/portal/api/static/portal.css").read_text(encoding="utf-8")
TEXT = [
    ("ink", "ground"), ("ink", "surface"), ("ink", "soft"), ("ink", "accent-soft"),
    ("ink", "alert-soft"), ("quiet", "ground"), ("quiet", "surface"), ("quiet", "soft"),
    ("accent", "ground"), ("accent", "surface"), ("accent", "accent-soft"),
    ("on-accent", "accent"), ("alert", "ground"), ("alert", "surface"), ("alert", "alert-soft"),
]  # fmt: skip
EDGES = [("control", "surface"), ("control", "ground"), ("accent", "ground"), ("alert", "ground")]


def _schemes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_stands_out_from_its_ground(scheme: str, text: str, ground: str) -> None:
    colours = _schemes()[scheme]
    assert _contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_of_controls_can_be_seen(scheme: str, edge: str, ground: str) -> None:
    colours = _schemes()[scheme]
    assert _contrast(colours[edge], colours[ground]) >= 3


def test_every_colour_in_a_rule_has_a_name() -> None:
    rules = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", rules) == []
