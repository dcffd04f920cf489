"""Invariant 4: no personal data in clear in log entries or in what the processes write."""

from pathlib import Path

import pytest

from sandbox.mesh import Mesh
from sandbox.tour import Tour

# What the sandbox and the tour know of their people, in every spelling that could leak.
PERSONAL = [
    "Anna",
    "de Vries",
    "anna.devries",
    "mail.example",
    "post.example",
    "1990-05-17",
    "104310000000000000001",
    "90000000000001",
    "陳",
    "Pieter",
    "Sofía",
    "Sof\\u00eda",
    "order-4711",
]


def test_invariant_4_no_personal_data_in_any_log_file(region: Mesh, tour: Tour) -> None:
    assert tour.told
    files = sorted(region.material.log("portal").parent.glob("*.log"))
    assert {file.stem for file in files} >= {"account", "sharing", "audit", "portal"}
    for file in files:
        text = file.read_text()
        assert [word for word in PERSONAL if word in text] == [], file.name
        assert region.portal + "/callback" not in text
        assert "accounts/nl-" not in text, file.name


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_invariant_4_no_personal_data_in_the_log_of_the_record(
    region: Mesh, tour: Tour, suffix: str
) -> None:
    file = region.material.database("audit")
    data = Path(f"{file}{suffix}").read_bytes()
    words = [*PERSONAL, tour.account, "accounts/nl-"]
    assert [word for word in words if word.encode() in data] == []
