"""A scenario file is read strictly: what is not meant is an error with its file and line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from accord.sharing.v1 import consent_pb2, contract_pb2, subject_pb2

from sandbox.scenarios.reading import FileError
from sandbox.scenarios.scenario import Scenario, read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.sharing.domain.rulebook import Rulebook

    Reading = Callable[[str], list[Scenario]]

WHOLE = Path(__file__).with_name("whole.yaml").read_text(encoding="utf-8")


@pytest.fixture
def read(tmp_path: Path, rulebook: Rulebook) -> Reading:
    def reading(text: str) -> list[Scenario]:
        path = tmp_path / "a.yaml"
        path.write_text(text, encoding="utf-8")
        return read_file(path, rulebook)

    return reading


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("scenario: A parcel", "scenaro: A parcel", "scenaro: unknown key"),
        ("{id: anna, jurisdiction: NL}", "{id: anna, country: NL}", "country: unknown key"),
        ("purposes: [delivery]", "purpose: [delivery]", "purpose: unknown key"),
        ("expect: PERMIT", "expects: PERMIT", "expects: unknown key"),
        ("withdraw: {account: anna", "withdrew: {account: anna", "withdrew: must be one of"),
        ("consent: 2}", "consents: 2}", "consents: unknown key"),
        ("consent: 2}", "consent: 3}", "the account has no consent 3"),
        ("consent: 2}", "consent: first}", "a number from 1 is needed"),
        ("now: 2025-09-01", "now: tomorrow", "a timestamp such as"),
        ("now: 2025-09-01", "now: 2025-02-30", "no date of the calendar"),
        ("effective: 2025-01-01", "effective: 2025-01-01T00:00:00Z", "a date, YYYY-MM-DD"),
        ("      effective: 2025-01-01\n", "", "effective: missing"),
        ("purposes: [delivery]", "purposes: delivery", "a list is needed"),
        ("purposes: [delivery]", "purposes: [shipping]", "shipping: unknown key"),
        ("categories: [contact.*]", "categories: [contacts]", "contacts: unknown key"),
        ("destinations: [NO]", "destinations: [Norway]", "Norway: unknown key"),
        (
            "expires: 2026-12-31",
            "expires: 2026-12-31\n      state: signed",
            "signed: must be one of",
        ),
        (
            "expires: 2026-12-31",
            "expires: 2026-12-31\n      confidentiality: maybe",
            "true or false",
        ),
        ("      recipient: dhl", "      recipient: ups", "ups: not declared among recipients"),
        ("recipient: service_provider,", "recipient: provider,", "neither a recipient"),
        ("recipient: dhl, purpose: delivery", "recipient: ups, purpose: delivery", "not declared"),
        ("instrument: i1", "instrument: i2", "i2: not declared among instruments"),
        (
            "kind: service_provider.delivery",
            "kind: courier",
            "courier: unknown key; known are affiliate, ",
        ),
        ("jurisdiction: UK", "jurisdiction: Britain", "no country"),
        ("state: refused", "state: rejected", "rejected: must be one of"),
        ("stop_sharing_with: dhl, at", "opt_out: everything, at", "everything: must be one of"),
        ("stop_sharing_with: dhl, at: 2025-07-01", "at: 2025-07-03", "exactly one of"),
        ("id: ola, jurisdiction: NO", "id: anna, jurisdiction: NO", "anna: declared twice"),
        ("expect: PERMIT", "expect: ALLOW", "ALLOW: must be one of"),
        ("expect: PERMIT", "because: [NO_REASON]", "NO_REASON: unknown key; known are ACC"),
        ("expect: PERMIT", "expect: PERMIT\n    expect: DENY", "stands here twice"),
        ("expect: PERMIT", "expect: [PERMIT", "expected ',' or ']'"),
        ("given:\n", "given: [\n", "expected"),
    ],
)
def test_what_is_not_meant_names_file_and_line(
    read: Reading, tmp_path: Path, old: str, new: str, why: str
) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    with pytest.raises(FileError) as refused:
        read(text)
    file, line, said = str(refused.value).split(":", 2)
    assert file == str(tmp_path / "a.yaml")
    assert why in said
    if why == "effective: missing":  # of the contract, which begins elsewhere
        new = "- id: c1"
    if not why.startswith("expected"):  # what YAML itself finds, it finds further down
        assert int(line) == line_of(text, new) + new.count("\n")


def test_defaults_dates_and_words(read: Reading) -> None:
    (scenario,) = read(WHOLE)
    given = scenario.given
    anna, ola, indira = given.subjects
    assert [home.account[:12] for home in given.subjects] == ["accounts/nl-"] * 2 + ["accounts/in-"]
    assert anna.status == subject_pb2.SUBJECT_STATUS_ACTIVE
    assert anna.birth_date == ""
    assert anna.since_time.ToDatetime(UTC) == datetime(2025, 6, 1, tzinfo=UTC)
    assert ola.since_time.ToDatetime(UTC) == datetime(2024, 1, 1, 7, tzinfo=UTC)
    assert ola.jurisdiction == "NO"
    assert indira.jurisdiction == "IN"
    (contract,) = given.contracts
    assert contract.state == contract_pb2.CONTRACT_STATE_ACTIVE
    assert list(contract.terms.categories) == ["contact"]
    assert not contract.terms.confidentiality
    assert not contract.terms.delete_on_termination
    assert not contract.terms.HasField("due_diligence")
    # In the order in which they count, named by their place in the file.
    refused, given_later = given.consents
    assert refused.name.endswith("/consents/c02")
    assert refused.state == consent_pb2.CONSENT_STATE_REFUSED
    assert refused.scope.service == ""
    assert refused.scope.recipient == "service_provider"
    assert given_later.scope.recipient == "recipients/dhl"
    # An expiry counts through the end of its day.
    assert given_later.expire_time.ToDatetime(UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    (check,) = scenario.checks
    assert check.now == scenario.now == datetime(2025, 9, 1, tzinfo=UTC)
    assert check.question.destination == ""  # the service fills in the recipient's jurisdiction
    assert not check.question.signed_in
    assert not check.question.de_identified
    assert check.question.instrument == "instruments/i1"
    assert [step.verb for step in check.steps] == ["withdraw"]
    assert check.expected.outcome == "PERMIT"
    assert check.expected.reasons is None


def test_an_account_began_no_later_than_the_scenario_plays(read: Reading) -> None:
    (scenario,) = read(WHOLE.replace("now: 2025-09-01", "now: 2025-05-10T10:00:00Z"))
    since = scenario.given.subjects[0].since_time.ToDatetime(UTC)
    assert since == datetime(2025, 5, 10, 10, tzinfo=UTC)


def test_an_undeclared_account_is_a_well_formed_one_that_nobody_has(read: Reading) -> None:
    text = WHOLE.replace("ask: {account: anna", "ask: {account: Some Stranger")
    (scenario,) = read(text)
    account = scenario.checks[0].question.account
    assert account.startswith("accounts/nl-")
    assert account not in {subject.account for subject in scenario.given.subjects}


def test_only_what_counts_at_a_moment_is_loaded(read: Reading) -> None:
    (scenario,) = read(WHOLE)
    june = scenario.given.request("nl", datetime(2025, 6, 15, tzinfo=UTC))
    assert [consent.name[-3:] for consent in june.consents] == ["c02"]
    assert not june.preferences
    assert len(june.recipients) == len(june.contracts) == 1
    india = scenario.given.request("in", datetime(2025, 9, 1, tzinfo=UTC))
    assert [len(india.subjects), len(india.consents), len(india.instruments)] == [1, 0, 0]
