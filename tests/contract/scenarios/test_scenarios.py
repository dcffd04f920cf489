"""Every scenario holds, and together they touch every reason, every obligation and every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.scenarios.__main__ import FOLDER
from sandbox.scenarios.play import play
from sandbox.scenarios.scenario import read_file
from services.sharing.domain.vocabulary import Obligation, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.scenarios.scenario import Check, Scenario
    from services.sharing.domain.rulebook import Notice, Row, Rulebook

FILES = sorted(FOLDER.glob("*.yaml"))
FEWEST = 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_check_holds(path: Path, prepared: Path, rulebook: Rulebook) -> None:
    failing = [
        (result.title, result.number, result.check.said, result.differences)
        for scenario in read_file(path, rulebook)
        async for result in play(scenario, prepared)
        if result.differences or result.refused
    ]
    assert failing == []


@pytest.fixture(scope="module")
def scenarios(rulebook: Rulebook) -> list[Scenario]:
    return [scenario for path in FILES for scenario in read_file(path, rulebook)]


def checks(scenarios: list[Scenario]) -> Iterator[Check]:
    for scenario in scenarios:
        yield from scenario.checks


def test_there_are_enough_of_them(scenarios: list[Scenario]) -> None:
    assert len(list(checks(scenarios))) >= FEWEST


def test_every_outcome_reason_and_obligation_is_expected_somewhere(
    scenarios: list[Scenario],
) -> None:
    said = [check.expected for check in checks(scenarios)]
    assert {expected.outcome for expected in said} >= {outcome.value for outcome in Outcome}
    reasons = {reason for expected in said for reason in expected.reasons or ()}
    assert {reason.value for reason in Reason} - reasons == set()
    duties = {duty for expected in said for duty in expected.obligations or ()}
    assert {duty.value for duty in Obligation} - duties == set()


def test_every_row_is_relied_on_with_each_of_its_recipients_and_purposes(
    scenarios: list[Scenario], rulebook: Rulebook
) -> None:
    """A row is relied on by an answer that cites its clause and is not that no row covers it."""
    relied = {
        (clause, kinds_of(scenario)[check.question.recipient], check.question.purpose)
        for scenario in scenarios
        for check in scenario.checks
        if "NOT_IN_NOTICE" not in (check.expected.reasons or ())
        for clause in check.expected.citations or ()
    }
    missing = [
        lacking
        for notice in rulebook.notices.values()
        for row in notice.rows
        for lacking in unmet(notice, row, relied, rulebook)
    ]
    assert missing == []


def unmet(
    notice: Notice, row: Row, relied: set[tuple[str, str, str]], rulebook: Rulebook
) -> Iterator[tuple[str, str]]:
    """Return the recipients and the purposes of a row with which nobody relied on it."""
    clause = f"{notice.id} {row.clause}"
    covered = {
        pair
        for pair, cells in rulebook.cells[notice.id].items()
        if any(cell.citation == clause for cell in cells.values())
    }
    here = {(kind, purpose) for at, kind, purpose in relied if at == clause} & covered
    met = {
        (named, purpose) for kind, purpose in here for named in row.recipients if under(kind, named)
    }
    for named in row.recipients:
        if all(named != recipient for recipient, _ in met):
            yield clause, named
    for purpose in {purpose for _, purpose in covered}.intersection(row.purposes):
        if all(purpose != wanted for _, wanted in met):
            yield clause, purpose


def kinds_of(scenario: Scenario) -> dict[str, str]:
    return {recipient.name: recipient.kind for recipient in scenario.given.recipients}


def under(kind: str, prefix: str) -> bool:
    return kind == prefix or kind.startswith(f"{prefix}.")
