"""The two catalogs say the same things, leave no place open, and hold nothing unused."""

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from accord.type.v1 import error_reason_pb2

from runtime.fault import Fault
from services.portal.api.catalog import load_catalogs
from services.portal.api.faults import FaultPage, status_of
from services.portal.domain.language import LANGUAGES

PORTAL = Path("services/portal")
CATALOGS = load_catalogs()
ENGLISH = CATALOGS["en"].messages
# Keys that pages put together; each family is used whole.
FAMILIES = (
    "assumed", "assumed_of", "audit_outcome", "basis", "basis_of", "cause", "choice", "consent_by",
    "consent_end", "consent_method",
    "consent_state", "contract_state", "decision", "done", "entry.readability",
    "erasure_ground", "erasure_state", "error", "event", "expiry", "fault", "gate", "gate_state",
    "group", "hint", "hold", "hold_kind", "hold_state", "home", "instrument_kind",
    "instrument_state", "kind", "nav", "notice_state", "obligation", "offer",
    "outcome", "party", "people.nothing", "people.show", "place", "profile", "proof.problem",
    "region", "revocations.show", "role", "role_text", "scc_module", "step", "term_of",
    "terms.diligence", "trace.fact", "trace.lane", "trace.origin", "turn", "welcome", "wrong",
)  # fmt: skip


def _source() -> str:
    files = [*PORTAL.rglob("*.py"), *PORTAL.rglob("*.html")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _places(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_catalog_has_the_same_keys_and_places(language: str) -> None:
    messages = CATALOGS[language].messages
    assert messages.keys() == ENGLISH.keys()
    assert {key: _places(text) for key, text in messages.items()} == {
        key: _places(text) for key, text in ENGLISH.items()
    }
    assert all(text.strip() == text and text for text in messages.values())


def test_every_message_that_a_page_names_exists() -> None:
    named = set(re.findall(r"""\b(?:t|self)\(\s*["']([a-z_.]+[a-z])["']""", _source()))
    counted = set(re.findall(r"""t\.count\(\s*["']([a-z_.]+)["']""", _source()))
    assert named <= ENGLISH.keys()
    assert {f"{key}.other" for key in counted} <= ENGLISH.keys()
    assert len(named) > 150


def test_no_message_is_left_unused() -> None:
    source = _source()
    unused = [
        key
        for key in ENGLISH
        if not key.startswith(tuple(f"{family}." for family in FAMILIES))
        and not key.startswith("terms.diligence_")
        and f'"{key}"' not in source
        and f"'{key}'" not in source
        and f'"{key.rpartition(".")[0]}"' not in source
        and f"'{key.rpartition('.')[0]}'" not in source
    ]
    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "reason",
    [name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]],
)
def test_every_reason_of_the_mesh_has_a_page(language: str, reason: str) -> None:
    fault = Fault(reason, "for developers", metadata={"region": "in"})
    page = FaultPage.of_fault(CATALOGS[language], fault, "/account/links/x")
    assert page.title
    assert page.text
    assert "{" not in page.text
    assert "for developers" not in page.text
    assert page.way.startswith("/")
    assert 400 <= status_of(fault) <= 503


def test_reasons_with_a_page_of_their_own_exist() -> None:
    own = {key.split(".")[1] for key in ENGLISH if key.startswith("fault.")} - {"FORM_STALE"}
    known = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118  no dict
    assert own <= known


def test_days_times_and_countries_are_written_in_each_language() -> None:
    moment = datetime(2026, 11, 5, 8, 7, 9, tzinfo=UTC)
    english, chinese = CATALOGS["en"], CATALOGS["zh-Hant"]
    assert english.day(date(2026, 11, 5)) == "5 November 2026"
    assert chinese.day(date(2026, 11, 5)) == "2026年11月5日"
    assert english.moment(moment) == "5 November 2026, 08:07 UTC"
    assert chinese.moment(moment) == "2026年11月5日 08:07 UTC"
    assert (english.territory("NL"), chinese.territory("NL")) == ("Netherlands", "荷蘭")
    assert english.territory("QQ") == "QQ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_countries_are_countries(language: str) -> None:
    codes = {code for code, _ in CATALOGS[language].countries()}
    assert {"NL", "GB", "CH", "IN", "RU", "HK", "SG"} <= codes
    assert not codes & {"EU", "UN", "ZZ", "XA"}
    assert 230 < len(codes) < 260


def test_unknown_words_of_the_rules_show_as_their_keys() -> None:
    assert CATALOGS["en"].word("group", "telepathy") == "telepathy"
