"""Every cause of a notice has its word wherever somebody reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from accord.sharing.v1.revocation_pb2 import RevocationCause

from services.portal.domain import agreements
from services.sharing.domain.revocation import Cause

ROOT = Path(__file__).parents[3]


def test_sharing_the_wire_and_the_portal_know_the_same_causes() -> None:
    wire = {name.removeprefix("REVOCATION_CAUSE_") for name in RevocationCause.keys()}  # noqa: SIM118  of an enum's descriptor, which is no dict
    assert wire - {"UNSPECIFIED"} == set(Cause.__members__) == set(agreements.Cause.__members__)


@pytest.mark.parametrize("language", ["en", "zh-Hant"])
def test_officers_read_each_in_their_language(language: str) -> None:
    catalog = yaml.safe_load((ROOT / f"services/portal/api/catalogs/{language}.yaml").read_text())
    assert set(catalog["cause"]) == set(Cause)


@pytest.mark.parametrize("document", ["docs/notices.md", "services/sharing/README.md"])
def test_each_is_documented(document: str) -> None:
    text = (ROOT / document).read_text()
    assert [cause for cause in Cause if f"`{cause}`" not in text] == []
