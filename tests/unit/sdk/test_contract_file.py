"""Contracts as a file: written one way, read strictly, each refusal with its line."""

from __future__ import annotations

import pytest
from accord.sharing.v1 import contract_pb2
from accord_client.contract_file import ContractFileError, Written, dump, parse
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
contracts:
- recipient: recipients/dhl
  purposes: [delivery]
  categories: [contact, order.delivery]
  origins: ['NO', NL]
  destinations: [DE]
  effective: 2026-01-01
  expires: 2027-12-31
  safeguards: [scc]
  safeguard_details:
  - {safeguard: scc, scc_module: 2, reference: 2021/914, expires: 2026-12-31}
  due_diligence: {outcome: passed, on: 2026-01-01, expires: 2026-12-31}
  subprocessors: [Fleet, Vans]
  subprocessor_chain:
  - {name: Vans, jurisdiction: PL, activity: repairs, parent: Fleet}
  - {name: Fleet, jurisdiction: DE, activity: drives}
  confidentiality: true
  obligations: [Tells of a breach within 24 hours.]
  document: {sha256: '%s', location: 'archive://dhl.pdf'}
""" % ("00" * 32)
MINIMAL = """\
contracts:
  - recipient: recipients/dhl
    effective: 2026-01-01
    expires: 2027-12-31
"""


def test_what_is_read_is_what_is_written() -> None:
    (written,) = parse(FILE, "c.yaml")
    terms = written.terms
    assert (written.recipient, written.line) == ("recipients/dhl", 2)
    assert list(terms.origins) == ["NL", "NO"]  # a country, whatever YAML thinks of NO
    assert terms.safeguard_details[0].scc_module == (
        contract_pb2.SCC_MODULE_CONTROLLER_TO_PROCESSOR
    )
    assert [link.name for link in terms.subprocessor_chain] == ["Fleet", "Vans"]
    assert terms.document.sha256 == bytes(32)
    assert terms.confidentiality
    assert not terms.delete_on_termination
    text = dump([written])
    assert dump(parse(text, "c.yaml")) == text


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30)
LISTS = st.lists(WORDS, max_size=3, unique=True).map(sorted)
DAYS = st.dates().map(lambda day: day.isoformat())


@given(
    st.lists(
        st.builds(
            contract_pb2.ContractTerms,
            purposes=LISTS,
            categories=LISTS,
            origins=LISTS,
            destinations=LISTS,
            safeguards=LISTS,
            subprocessors=LISTS,
            obligations=LISTS,
            effective_date=DAYS,
            expire_date=DAYS,
            confidentiality=st.booleans(),
            delete_on_termination=st.booleans(),
            document=st.none()
            | st.builds(
                contract_pb2.SignedDocument,
                sha256=st.binary(min_size=32, max_size=32),
                location=WORDS,
            ),
        ),
        max_size=3,
    ),
    WORDS,
)
def test_export_and_import_are_stable_to_the_byte(
    agreed: list[contract_pb2.ContractTerms], recipient: str
) -> None:
    text = dump(Written(recipient, terms) for terms in agreed)
    again = parse(text, "c.yaml")
    assert dump(again) == text
    assert {each.request_id for each in again} == {
        Written(recipient, terms).request_id for terms in agreed
    }


def test_the_order_of_a_file_is_its_content_alone() -> None:
    contracts = parse(FILE, "a") + parse(MINIMAL, "b")
    assert dump(contracts) == dump(reversed(contracts)) == dump(contracts * 2)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "holds nothing"),
        ("- a", 1, "must be a mapping"),
        ("contracts: 1", 1, "must be a list"),
        ("contracts: []\nmore: 1", 2, "more: unknown key"),
        ("contracts: []\ncontracts: []", 2, "given twice"),
        ("contracts: [", 1, ""),
        ("contracts:\n  - &a {recipient: x}\n  - *a", 3, "aliases"),
        ("contracts:\n  - !!python/object:os.system {}", 2, "recipient: is missing"),
        ("--- {}\n--- {}", 2, ""),
        (MINIMAL + "    purpose: [a]\n", 5, "purpose: unknown key"),
        (MINIMAL + "    purposes: a\n", 5, "purposes: must be a list"),
        (MINIMAL + "    purposes: [[a]]\n", 5, "purposes: must be a text"),
        (MINIMAL + "    purposes:\n    - a\n    -\n", 7, "purposes: must be a text"),
        (MINIMAL + "    confidentiality: yes\n", 5, "must be true or false"),
        (MINIMAL + "    due_diligence: {outcome: good}\n", 5, "must be one of passed, failed"),
        (MINIMAL + "    due_diligence:\n      outcome: passed\n", 6, "on: is missing"),
        (MINIMAL + "    document: {sha256: 00, location: x}\n", 5, "hexadecimal"),
        (MINIMAL + "    safeguard_details:\n    - {safeguard: scc, scc_module: 5}\n", 6, "1, 2, 3"),
        (MINIMAL.replace("2027-12-31", "soon"), 4, "expires: must be a date"),
        (MINIMAL.replace("2026-01-01", "2026-02-30"), 3, "effective: must be a date"),
        (MINIMAL.replace("recipient: recipients/dhl", "? {a: b}\n    : c"), 2, "must be a word"),
        (MINIMAL + MINIMAL.removeprefix("contracts:\n"), 5, "is the same as line 2"),
        ("[" * 1000, 1, ""),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ContractFileError, match=rf"^c\.yaml:{line}: .*{what}") as caught:
        parse(text, "c.yaml")
    assert caught.value.line == line
