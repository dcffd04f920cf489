"""What `bin/scenarios` prints, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARCEL = Path(__file__).with_name("parcel.yaml")
STEPS = Path(__file__).with_name("steps.yaml")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "sandbox.scenarios", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_line_a_check_and_what_differs_at_its_end() -> None:
    ran = run(PARCEL)
    assert ran.stdout == PARCEL.with_suffix(".txt").read_text(encoding="utf-8")
    assert ran.returncode == 1
    assert ran.stderr == "4 checks of 1 scenario: 2 do not hold\n"


def test_every_step_holds_also_where_no_single_call_leads_there() -> None:
    ran = run(STEPS)
    assert ran.returncode == 0, ran.stdout
    assert ran.stderr.endswith(" of 1 scenario: all hold\n")


@pytest.mark.parametrize(
    ("done", "undone", "reason"),
    [
        ("terminate: {contract: c1}", "activate: {contract: c1}", "CONTRACT_NOT_ACTIVE"),
        ("delete: {account: anna}", "unfreeze: {account: anna}", "ACCOUNT_DELETED"),
    ],
)
def test_a_step_that_nobody_can_do_is_told_and_ends_ill(
    tmp_path: Path, done: str, undone: str, reason: str
) -> None:
    file = tmp_path / "undone.yaml"
    title, _, rest = STEPS.read_text(encoding="utf-8").partition("checks:")
    question = rest.partition("ask: &parcel ")[2].splitlines()[0]
    file.write_text(
        f"{title}checks:\n"
        f"  - do: [{{{done}}}, {{{undone}}}]\n"
        f"    ask: {question}\n"
        f"    because: [{reason}]\n",
        encoding="utf-8",
    )
    ran = run(file)
    assert ran.returncode == 1
    assert ran.stdout.startswith("ok   ")
    refused, summary = ran.stderr.splitlines()
    said = undone.replace(": {", " ").replace(": ", "=").removesuffix("}")
    assert f"refused: {said}: WRONG_STATE" in refused
    assert summary == "1 checks of 1 scenario: all hold; steps refused: 1"


def test_who_reads_no_further_sees_no_traceback() -> None:
    with subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "sandbox.scenarios", STEPS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert "Traceback" not in running.stderr.read()


def test_json_lines() -> None:
    ran = run("--format", "json", PARCEL)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [list(line) for line in lines] == [["scenario", "check", "ok", "expected", "got"]] * 4
    assert [(line["check"], line["ok"]) for line in lines] == [
        (1, True),
        (2, False),
        (3, False),
        (4, True),
    ]
    assert lines[0] == {
        "scenario": "A parcel",
        "check": 1,
        "ok": True,
        "expected": {
            "outcome": "DENY",
            "reasons": ["NOT_IN_NOTICE"],
            "citations": ["mi-store@2025-05-20 §4"],
            "permitted_categories": ["contact.name"],
        },
        "got": {
            "outcome": "DENY",
            "reasons": ["NOT_IN_NOTICE"],
            "citations": ["mi-store@2025-05-20 §4"],
            "permitted_categories": ["contact.name"],
            "obligations": [],
        },
    }
    assert lines[2]["got"]["refusal"] == "INVALID_FIELD: question.purpose: unknown key"
    assert lines[3]["got"]["gaps"] == ["CONTRACT_MISSING"]


def test_all_that_hold_end_well(tmp_path: Path) -> None:
    held = tmp_path / "held.yaml"
    text = PARCEL.read_text(encoding="utf-8")
    text = text.replace(
        "[contact.name]}\n    expect: P", "[contact.name], relation: o-2}\n    expect: P"
    )
    held.write_text(text.replace("purpose: shipping", "purpose: sale"), encoding="utf-8")
    ran = run(held)
    assert ran.returncode == 0, ran.stdout
    assert re.fullmatch(r"(ok  .*\n){4}", ran.stdout)
    assert ran.stderr.endswith("4 checks of 1 scenario: all hold\n")


def test_a_file_that_is_wrong_is_named_with_its_line_and_nothing_runs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    text = PARCEL.read_text(encoding="utf-8")
    wrong.write_text(text.replace("relation: order-1", "order: order-1"), encoding="utf-8")
    ran = run(PARCEL, wrong)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"{wrong}:13: order: unknown key; known are ")


def test_the_command_speaks_json_on_its_output_alone() -> None:
    """The script that people call, from another folder."""
    ran = subprocess.run(  # noqa: S603  our own command
        [ROOT / "bin/scenarios", "parcel.yaml", "--format", "json"],
        cwd=PARCEL.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert [json.loads(line)["check"] for line in ran.stdout.splitlines()] == [1, 2, 3, 4]
