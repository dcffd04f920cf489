"""A contract's terms, from the form to plain values and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.portal.api.forms import Form
from services.portal.api.terms import TermsField, read_terms, terms_as_fields
from services.portal.domain.sharing import (
    Document,
    DueDiligence,
    SafeguardDetail,
    Subprocessor,
    Terms,
)

keys = st.lists(
    st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?", fullmatch=True), unique=True, min_size=1, max_size=5
)
places = st.lists(
    st.sampled_from(["EEA", "NL", "DE", "GB", "*"]), unique=True, min_size=1, max_size=4
)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
names = st.lists(
    st.from_regex(r"[A-Z][a-z]{1,9}( [A-Z][a-z]{1,9})?", fullmatch=True), unique=True, max_size=4
)
said = st.from_regex(r"[A-Z][a-z]{1,9}( [a-z]{1,9})?", fullmatch=True)
documents = st.builds(
    Document,
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    location=st.just("archive/1.pdf"),
)
terms = st.builds(
    Terms,
    purposes=keys.map(tuple),
    categories=keys.map(tuple),
    origins=places.map(tuple),
    destinations=places.map(tuple),
    safeguards=keys.map(tuple),
    due_diligence=st.none() | st.builds(DueDiligence, passed=st.booleans(), on=days, expires=days),
    effective=days,
    expires=days,
    subprocessors=names.map(tuple),
    confidentiality=st.booleans(),
    delete_on_termination=st.booleans(),
    document=st.none() | documents,
    subprocessor_chain=st.lists(
        st.builds(
            Subprocessor,
            name=said,
            jurisdiction=st.sampled_from(["DE", "PL"]),
            activity=said,
            parent=st.just("") | said,
        ),
        unique=True,
        max_size=3,
    ).map(tuple),
    obligations=st.lists(said, unique=True, max_size=3).map(tuple),
)


def detailed(original: Terms) -> st.SearchStrategy[Terms]:
    """Say something of some of the safeguards."""
    detail = st.builds(
        SafeguardDetail,
        safeguard=st.just(""),
        scc_module=st.integers(0, 4),
        reference=said,
        impact_assessment=st.just("") | said,
        expires=st.none() | days,
    )
    return st.lists(detail, max_size=len(original.safeguards)).map(
        lambda details: replace(
            original,
            safeguard_details=tuple(
                replace(each, safeguard=key)
                for each, key in zip(details, original.safeguards, strict=False)
            ),
        )
    )


@given(terms.flatmap(detailed))
def test_what_the_form_shows_is_what_it_reads(original: Terms) -> None:
    shown = terms_as_fields(original)
    field = TermsField(Form(), original)
    posted = {
        name: list(values)
        if name in {"purposes", "categories", "safeguards"}
        else [field.text(name)]
        for name, values in shown.items()
    }
    read, wrong = read_terms(Form(posted))
    assert wrong == []
    assert read == original


def test_an_empty_form_names_what_is_missing() -> None:
    read, wrong = read_terms(Form())
    assert read is None
    assert [name for name, _ in wrong] == [
        "purposes", "categories", "origins", "destinations", "effective", "expires",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "blamed"),
    [
        ("origins", "Netherlands", "origins"),
        ("destinations", "de, france", "destinations"),
        ("effective", "tomorrow", "effective"),
        ("diligence_on", "", "due_diligence"),
        ("document_sha256", "5a5a", "document"),
        ("document_location", "", "document"),
    ],
)
def test_a_field_that_cannot_be_read_is_blamed(field: str, value: str, blamed: str) -> None:
    posted = {
        "purposes": ["delivery"],
        "categories": ["contact"],
        "origins": ["nl"],
        "destinations": ["DE"],
        "effective": ["2026-01-01"],
        "expires": ["2027-01-01"],
        "diligence": ["passed"],
        "diligence_on": ["2026-01-01"],
        "diligence_expires": ["2027-01-01"],
        "document_sha256": ["5a" * 32],
        "document_location": ["archive/1.pdf"],
    }
    assert read_terms(Form(posted))[1] == []
    read, wrong = read_terms(Form(posted | {field: [value]}))
    assert read is None
    assert wrong == [(blamed, f"wrong.{blamed}")]
