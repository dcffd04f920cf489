"""What a page offers is what sharing would take: objections, notices, steps of a contract."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.portal.domain.offers import NOTICE
from services.portal.domain.sharing import (
    Basis,
    Contract,
    ContractEvent,
    ContractState,
    Notice,
    Preference,
    Purpose,
    Terms,
    Vocabulary,
)

RULEBOOK = Path("services/sharing/rulebook")
NOTICES = sorted((RULEBOOK / "notices").glob("*.yaml"))
DAY = date(2026, 1, 1)
TERMS = Terms((), (), (), (), (), None, DAY, DAY, (), False, False, None)
AUTHOR, OTHER = "accounts/nl-a", "accounts/nl-b"


def _rows() -> list[dict[str, Any]]:
    return [row for file in NOTICES for row in yaml.safe_load(file.read_text("utf-8"))["rows"]]


def _vocabulary() -> Vocabulary:
    purposes = yaml.safe_load((RULEBOOK / "purposes.yaml").read_text("utf-8"))["purposes"]
    return Vocabulary(
        digest="",
        services=(),
        kinds=(),
        purposes=[
            Purpose(key, Basis(purpose.get("basis", "none"))) for key, purpose in purposes.items()
        ],
        categories=(),
        notices=[Notice(NOTICE, date(2025, 5, 20))],
        safeguards=(),
        labels={},
    )


def test_an_objection_is_offered_where_no_row_of_a_notice_rules_it_out() -> None:
    ruled_out = {
        purpose for row in _rows() if row.get("objectable") is False for purpose in row["purposes"]
    }
    offered = [purpose.key for purpose in _vocabulary().objectionable()]
    assert ruled_out == {"legal_claims"}
    assert ruled_out.isdisjoint(offered)
    assert offered == [
        "security", "service_analytics", "product_improvement", "fraud_prevention",
        "professional_advice", "corporate_transaction",
    ]  # fmt: skip


def _accepted(notice: str, day: datetime) -> Preference:
    return Preference("accounts/nl-a/preferences/p", day, None, accepted_notice=notice)


def test_a_notice_is_accepted_with_the_account_or_afterwards() -> None:
    notice = _vocabulary().notice(NOTICE)
    assert notice is not None
    before, after, later = (datetime(year, 6, 1, tzinfo=UTC) for year in (2024, 2025, 2026))
    assert notice.accepted([], since=after) == after
    assert notice.accepted([], since=before) is None
    assert notice.accepted([_accepted("mi-com@2021-07-22", later)], since=before) is None
    assert notice.accepted([_accepted(NOTICE, later)], since=before) == later
    # Newest first, as sharing lists them; a person who accepts again is told of the last time.
    twice = [_accepted(NOTICE, later), _accepted(NOTICE, after)]
    assert notice.accepted(twice, since=before) == later


def test_an_undated_notice_has_always_been_there() -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert Notice("live-chat", None).accepted([], since=since) == since


def test_a_notice_that_the_rules_do_not_hold_is_found_nowhere() -> None:
    assert _vocabulary().notice("mi-store@1999-01-01") is None


@pytest.mark.parametrize(
    ("state", "active_version", "steps"),
    [
        (ContractState.DRAFT, 0, ["submit", "terminate"]),
        (ContractState.DRAFT, 1, ["submit", "suspend", "terminate"]),
        (ContractState.UNDER_REVIEW, 0, ["activate", "terminate"]),
        (ContractState.UNDER_REVIEW, 1, ["activate", "suspend", "terminate"]),
        (ContractState.ACTIVE, 2, ["suspend", "terminate"]),
        (ContractState.SUSPENDED, 0, ["resume", "terminate"]),
        (ContractState.TERMINATED, 0, []),
    ],
)
def test_a_version_in_force_can_be_suspended_whatever_waits(
    state: ContractState, active_version: int, steps: list[str]
) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    contract = Contract(
        "contracts/c",
        "recipients/r",
        2,
        state,
        TERMS,
        active_version,
        AUTHOR,
        since,
        suspended_version=2 if state is ContractState.SUSPENDED else 0,
    )
    assert contract.steps_for(OTHER) == steps
    second = {"activate", "resume"}
    assert contract.steps_for(AUTHOR) == [step for step in steps if step not in second]


def test_who_wrote_the_amendment_may_resume_the_version_before() -> None:
    """And who wrote that one may not, whoever wrote what waits."""
    since = datetime(2026, 1, 1, tzinfo=UTC)
    draft = ContractState.DRAFT
    history = [
        ContractEvent(1, draft, AUTHOR, since, ""),
        ContractEvent(2, draft, OTHER, since, ""),
    ]
    contract = Contract(
        "contracts/c",
        "recipients/r",
        2,
        draft,
        TERMS,
        0,
        OTHER,
        since,
        history=history,
        suspended_version=1,
    )
    assert contract.steps_for(OTHER) == ["submit", "resume", "terminate"]
    assert contract.steps_for(AUTHOR) == ["submit", "terminate"]
