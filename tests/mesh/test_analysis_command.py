"""`accord explain` and `accord simulate` against a running region."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from accord_client.cli.session import Exit

from services.sharing.store.rulebook import FOLDER
from tests.mesh.records import agree
from tests.mesh.test_command import accord, answer

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.mesh import Mesh
    from tests.mesh.people import Person


def test_why_not_and_what_would_help(region: Mesh, arjun: Person) -> None:
    recipient = agree(region, "fietsen", "service_provider.delivery", "delivery", "contact")
    words = ("explain", arjun.account, "mi_store", recipient, "delivery", "contact.phone")
    gap = accord(region, "officer", *words, code=Exit.REFUSED)
    assert "RELATION_MISSING" in gap.stdout
    assert "name the order, ticket or entry (--relation)" in gap.stdout
    found = accord(region, "auditor", *words, "--relation", "order-1")
    assert "PERMIT" in found.stdout
    past = accord(
        region, "auditor", *words, "--relation", "o-1", "--as-of", "2026-01-01", code=Exit.REFUSED
    )
    assert "as of 2026-01-01T00:00:00Z; it permits nothing" in past.stdout
    assert "SUBJECT_UNKNOWN" in past.stdout
    assert f"record a contract with {recipient} and put it in force" in past.stdout
    assert "the contract has to name one of *, DE, EEA as destination" in past.stdout
    future = accord(region, "auditor", *words, "--as-of", "2199-01-01", code=Exit.BAD_INPUT)
    assert "INVALID_FIELD" in future.stderr
    accord(region, "mi-store", *words, code=Exit.NOT_ALLOWED)


def test_what_a_change_would_do(region: Mesh, arjun: Person, tmp_path: Path) -> None:
    recipient = agree(region, "karren", "service_provider.delivery", "delivery", "contact")
    check = ("check", arjun.account, "mi_store", recipient, "delivery", "contact.phone")
    permit = accord(region, "mi-store", *check, "--relation", "order-2")
    assert "PERMIT" in permit.stdout
    moved = accord(region, "officer", "simulate", "--moved", recipient, "US", code=Exit.REFUSED)
    assert "CONTRACT_SCOPE_DESTINATION" in moved.stdout
    assert arjun.account not in moved.stdout
    (contract,) = answer(region, "officer", "contracts", "list", "--recipient", recipient)
    ended = accord(
        region, "officer", "simulate", "--contract-ended", contract["name"], code=Exit.REFUSED
    )
    assert "CONTRACT_NOT_ACTIVE" in ended.stdout

    draft = tmp_path / "draft"
    shutil.copytree(FOLDER, draft)
    accord(region, "officer", "simulate", "--rulebook", str(draft))
    (draft / "kinds.yaml").write_text("kinds: {}\n")
    broken = accord(region, "officer", "simulate", "--rulebook", str(draft), code=Exit.BAD_INPUT)
    assert "INVALID_FIELD" in broken.stderr
    accord(region, "officer", "simulate", code=Exit.BAD_INPUT)
    accord(region, "auditor", "simulate", "--moved", recipient, "US", code=Exit.NOT_ALLOWED)


def test_whose_data_a_recipient_may_get(region: Mesh, arjun: Person) -> None:
    recipient = agree(region, "sleden", "service_provider.delivery", "delivery", "contact")
    words = ("recipients", "subjects", recipient)
    found = {each["subject"]: each for each in answer(region, "officer", *words)}
    assert {could["purpose"] for could in found[arjun.account]["prospects"]} == {"delivery"}
    assert found[arjun.account]["holdings"] == []
    assert arjun.account in accord(region, "officer", *words, "--only", "may").stdout
    assert arjun.account not in accord(region, "officer", *words, "--only", "has").stdout
    accord(region, "auditor", *words, code=Exit.NOT_ALLOWED)
