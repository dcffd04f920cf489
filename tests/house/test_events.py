"""The list of events is whole: what a service says is in it, and nothing is that nobody says."""

from __future__ import annotations

import ast
import re

import pytest
from accord.audit.v1 import event_pb2

from deploy import tables
from tests.house.repository import ROOT

NAMES = [value for value in event_pb2.EventName.DESCRIPTOR.values if value.number]
TEXTS = [value.GetOptions().Extensions[event_pb2.text] for value in NAMES]
GRAMMAR = re.compile(r"[a-z][a-z0-9_]*(:[a-z][a-z0-9_]*){2}")
SOURCES = {"account": 1, "sharing": 2, "portal": 3, "audit": 4}  # thousands of their numbers


def test_each_name_has_a_text_of_the_grammar_and_a_number_of_its_source() -> None:
    for value, text in zip(NAMES, TEXTS, strict=True):
        assert GRAMMAR.fullmatch(text), text
        assert len(text) <= 100
        assert value.name == "EVENT_NAME_" + text.replace(":", "_").upper()
        assert value.number // 1000 == SOURCES[text.partition(":")[0]], text
    assert len(set(TEXTS)) == len(TEXTS)


def test_each_subject_has_tens_of_its_own() -> None:
    subjects: dict[int, set[str]] = {}
    for value, text in zip(NAMES, TEXTS, strict=True):
        subjects.setdefault(value.number // 10, set()).add(text.split(":")[1].rstrip("s"))
    assert {ten: names for ten, names in subjects.items() if len(names) > 1} == {}


def test_every_name_says_what_it_records_and_which_fields_it_carries() -> None:
    said = tables.comments()
    for value in NAMES:
        comment = said[f"accord.audit.v1.EventName.{value.name}"]
        assert re.search(r"Fields: |No fields\.", comment), value.name


@pytest.mark.parametrize("source", SOURCES)
def test_what_a_service_says_is_in_the_list_and_what_is_in_the_list_somebody_says(
    source: str,
) -> None:
    """Names stand whole in the code, never put together, so that whoever looks for one finds it."""
    said = {
        node.value
        for path in (ROOT / "services").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and GRAMMAR.fullmatch(node.value)
        and node.value.partition(":")[0] == source
    }
    assert said == {text for text in TEXTS if text.partition(":")[0] == source}


def test_no_name_is_put_together() -> None:
    pieces = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("services", "runtime")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and re.match(rf"({'|'.join(SOURCES)}):[a-z_]+:", str(node.values[0].value))
    ]
    assert pieces == []
