"""The rulebook says what the notices say, and one that contradicts itself is not loaded."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest

from services.sharing.domain.rulebook import RulebookError
from services.sharing.domain.vocabulary import Obligation
from services.sharing.store.apps import AppsError, load_apps
from services.sharing.store.rulebook import FOLDER, load_rulebook, parse_file
from tests.unit.sharing.facts import rulebook

STORE, MI_COM = "mi-store@2025-05-20", "mi-com@2021-07-22"
TV, SUPPORT = "mi-tv-remote@2019-10-01", "privacy-support@2024-12-16"

# Of each row of the notices: its clause and basis, some categories that it has and that it has not.
ROWS = list(csv.DictReader(Path(__file__).with_name("rows.csv").read_text("utf-8").splitlines()))


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['notice']} {row['kind']} {row['purpose']}"
)
def test_row(row: dict[str, str]) -> None:
    cells = rulebook().cells[row["notice"]][row["kind"], row["purpose"]]
    for category in row["has"].split():
        cell = cells[category]
        assert (cell.citation, cell.basis) == (f"{row['notice']} {row['clause']}", row["basis"])
    assert cells.keys().isdisjoint(row["has not"].split())


@pytest.mark.parametrize(
    ("notice", "kind", "purpose"),
    [
        (STORE, "ecosystem_company", "device_control"),
        (STORE, "identity_provider", "sign_in"),
        (STORE, "identity_provider", "identity_linking"),
        (STORE, "service_provider.delivery", "direct_marketing"),
        (STORE, "business_partner", "product_improvement"),
        (STORE, "designated_third_party", "legal_disclosure"),
        (STORE, "designated_third_party", "statistics"),
        (MI_COM, "payment_provider", "payment"),
        (SUPPORT, "court", "legal_claims"),
        (TV, "affiliate", "newsletter"),
        (SUPPORT, "identity_provider", "identity_linking"),
        (SUPPORT, "identity_provider", "sign_in"),
    ],
)
def test_no_row(notice: str, kind: str, purpose: str) -> None:
    assert (kind, purpose) not in rulebook().cells[notice]


def test_obligations_come_from_kind_purpose_and_row() -> None:
    cells = rulebook().cells
    assert cells[TV]["ecosystem_company", "feedback"]["contact.name"].obligations == (
        Obligation.ENCRYPT,
    )
    assert cells[STORE]["public", "winner_publication"]["account.id"].obligations == (
        Obligation.DE_IDENTIFY,
    )
    assert cells[STORE]["investor", "corporate_transaction"]["account.id"].obligations == (
        Obligation.CONFIDENTIALITY,
    )


def test_nobody_speaks_before_the_first_notice() -> None:
    assert rulebook().speaking("mi_store", date(2025, 5, 19)).cells == {}
    assert rulebook().speaking("mi_com", date(2021, 7, 21)).cells == {}
    assert rulebook().speaking("live_chat", date(2020, 1, 1)).cells


def test_the_digest_is_of_what_is_said_not_of_how(copied: Path) -> None:
    kinds = copied / "kinds.yaml"
    kinds.write_text("# laid out differently\n" + kinds.read_text())
    assert load_rulebook(copied).digest == rulebook().digest
    kinds.write_text(kinds.read_text().replace("Company of the group", "Group company"))
    assert load_rulebook(copied).digest != rulebook().digest


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("kinds.yaml", "contract: true", "contract: maybe", "kinds/kinds/affiliate"),
        ("purposes.yaml", "needs: [contact.email]", "needs: [contact.fax]", "contact.fax"),
        ("services.yaml", "[[mi-early]]", "[[mi-late]]", "mi-late"),
        ("reasons.yaml", "SALE_PROHIBITED:", "SALES_PROHIBITED:", "SALES_PROHIBITED"),
        ("borders.yaml", "localised: true}", "localized: true}", "borders/areas"),
        ("regions.yaml", "areas: [IN], region: in", "areas: [IN], region: xx", "xx"),
        ("regions.yaml", "areas: [IN], region: in", "areas: [IN, RU], region: in", "RU has two"),
        ("regions.yaml", "areas: [RU], region: ru", "areas: [IN], region: in", "IN has two"),
        (
            "regions.yaml",
            "{areas: [RU], region: ru, ",
            "{areas: [RU], region: cn, ",
            "cn is closed",
        ),
        ("regions.yaml", "[EEA, UK, CH], region: nl", "[EEA, UK], region: nl", "CH has none"),
        ("regions.yaml", "people: [HK]", "people: [HX]", "HX"),
        ("regions.yaml", "  - {name: Xiaomi", "  - {people: [RU], name: Xiaomi", "answer for all"),
        ("house.yaml", "topics:", "themes:", "house"),
        ("notices/live-chat.yaml", "purposes: [chat_response]", "purposes: [chat]", "chat"),
        ("notices/live-chat.yaml", "recipients: [affiliate]", "recipients: [friend]", "friend"),
        ("notices/live-chat.yaml", "clause: §1.3", "clause: 1.3", "notices"),
        ("notices/live-chat.yaml", "rows:", "rows: [", "live-chat.yaml"),
    ],
)
def test_a_rulebook_that_contradicts_itself_is_refused(
    copied: Path, file: str, old: str, new: str, named: str
) -> None:
    path = copied / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RulebookError) as refused:
        load_rulebook(copied)
    assert named in str(refused.value)


GROUP = "Xiaomi Technologies Singapore Pte. Ltd."
EUROPE = "Xiaomi Technology Netherlands B.V."
INDIA = "Xiaomi Technology India Private Limited"
HONG_KONG = "Xiaomi H.K. Limited"


@pytest.mark.parametrize(
    ("service", "country", "name", "complaint"),
    [
        ("mi_store", "FR", EUROPE, "national_authority"),
        ("mi_store", "GB", EUROPE, "national_authority"),
        ("mi_account", "CH", EUROPE, "national_authority"),
        ("mi_com", "IN", INDIA, "grievance_officer"),
        ("mi_com", "RU", GROUP, "national_authority"),
        ("live_chat", "BR", GROUP, "national_authority"),
        ("mi_com", "HK", HONG_KONG, "national_authority"),
        ("mi_store", "HK", HONG_KONG, "national_authority"),
        ("live_chat", "HK", GROUP, "national_authority"),
        ("mi_tv_remote", "FR", "Beijing Xiaomi Electronics Co., Ltd.", "national_authority"),
    ],
)
def test_who_answers_for_the_data(service: str, country: str, name: str, complaint: str) -> None:
    found = rulebook().controller(service, country, date(2026, 1, 1))
    assert (found.name, found.complaint) == (name, complaint)
    assert found.processor == (GROUP if name == EUROPE else "")


def test_homes_and_data_centers_are_dated() -> None:
    place, regions = rulebook().places["FR"], rulebook().regions
    assert place.home(date(2021, 7, 22)) == "NL"
    assert place.home(date(2021, 7, 21)) == ""
    open_in_2020 = {key for key, at in regions.items() if at.term.holds(date(2020, 1, 1))}
    open_today = {key for key, at in regions.items() if at.term.holds(date(2026, 1, 1))}
    assert open_in_2020 == {"cn", "us", "de", "in", "ru", "sg"}
    assert open_today == {"in", "nl", "ru", "sg"}


@pytest.mark.parametrize(
    "text",
    ["apps: {a: [mi_shop]}", "apps: {a: mi_store}", "apps: []", "app: {}", "{", "apps: {1: []}"],
)
def test_a_file_of_apps_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "apps.yaml"
    path.write_text(text)
    with pytest.raises(AppsError):
        load_apps(path, rulebook().services)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A rulebook to spoil."""
    return shutil.copytree(FOLDER, tmp_path / "rulebook")


@pytest.mark.parametrize(
    "content",
    [
        b"? [a]\n: 1",
        b"? {a: b}\n: 1",
        b"1: a",
        b"a: " + b"1" * 5000,
        b"a: !!timestamp 2001-99-99",
        b"a: !!timestamp x",
        b"a: !!int ''",
        b"a: !!bool x",
        b"a: !!set {? [a]}",
        b"a: \xff",
    ],
)
def test_what_yaml_can_say_and_no_rule_can_is_refused_with_its_file(content: bytes) -> None:
    with pytest.raises(RulebookError, match=r"^kinds\.yaml: "):
        parse_file("kinds.yaml", content)
