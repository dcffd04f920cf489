"""bin/rulebook: what lint finds and where, what show and diff say."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.rulebook.__main__ import main
from sandbox.rulebook.sample import Recorded, read_lines, write_lines
from services.sharing.domain.rulebook import RulebookError
from services.sharing.store.lint import DRAFT_PROBLEMS, compile_draft, lint
from services.sharing.store.rulebook import FOLDER, compile_rulebook, read_files
from tests.house.repository import ROOT
from tests.unit.sharing.facts import facts, question

if TYPE_CHECKING:
    from pathlib import Path

CHAT = "notices/live-chat.yaml"
FILES = dict(read_files(FOLDER))
ROW = """\
  - clause: §9.9
    recipients: [service_provider.llm]
    purposes: [chat_response]
    categories: [chat.text]
    basis: contract
"""


def line(file: str, text: str) -> int:
    """The line of the rulebook in use on which a text stands first."""
    content = FILES[file].decode()
    return content[: content.index(text)].count("\n") + 1


def edited(file: str, was: str, becomes: str) -> dict[str, bytes]:
    content = FILES[file].decode()
    assert was in content
    return {**FILES, file: content.replace(was, becomes, 1).encode()}


# (file, text to replace, what stands there instead, the line and a part of the message)
WRONG = [
    (CHAT, "rows:", "rows: [", "", "expected"),
    (CHAT, "id: live-chat", "id: live-chat\nid: other", "", "id is written twice"),
    (CHAT, "basis: contract", "basis: whim", "basis: contract", "whim"),
    (CHAT, "chat.attachment", "chat.smell", "chat.attachment", "unknown chat.smell"),
    (CHAT, "[affiliate]", "[afiliate]", "[affiliate]", "unknown afiliate"),
    (CHAT, "[chat_response]", "[chat_reply]", "[chat_response]", "unknown chat_reply"),
    ("services.yaml", "[live-chat]", "[dead-chat]", "[live-chat]", "unknown dead-chat"),
    (
        "services.yaml",
        "[mi-com@2021-07-22, mi-store@2025-05-20]",
        "[mi-store@2025-05-20, mi-com@2021-07-22]",
        "[mi-com@2021-07-22",
        "both would speak",
    ),
    ("services.yaml", "[[mi-early]]", "[[live-chat]]", "", "speaks for no service"),
    (
        "purposes.yaml",
        "needs: [contact.email]",
        "needs: [contact.fax]",
        "newsletter",
        "contact.fax",
    ),
    ("borders.yaml", "adult_age: 18", "adult_age: 99", "adult_age", "99"),
    ("reasons.yaml", "SALE_PROHIBITED", "SALE_WELCOME", "", "SALE"),
]


def test_the_rulebook_in_use_has_nothing_to_correct() -> None:
    assert lint(FILES) == []


@pytest.mark.parametrize(("file", "was", "becomes", "at", "said"), WRONG)
def test_what_is_wrong_is_told_with_its_line(
    file: str, was: str, becomes: str, at: str, said: str
) -> None:
    files = edited(file, was, becomes)
    problems = lint(files)
    assert problems
    assert any(said in problem.message for problem in problems), problems
    if at:
        assert (file, line(file, at)) in {(each.file, each.line) for each in problems}, problems
    if "speak" not in said:  # such a rulebook can be used
        with pytest.raises(RulebookError):
            compile_rulebook(files)


def test_a_draft_that_amends_is_held_against_all_and_its_problems_are_bounded() -> None:
    amending = {CHAT: edited(CHAT, "chat.text", "chat.script")[CHAT]}
    with pytest.raises(RulebookError, match=rf"^{CHAT}:\d+: unknown chat.script$"):
        compile_draft(amending, amends=True)
    with pytest.raises(RulebookError, match=r"^kinds.yaml:0: is missing$"):
        compile_draft(amending, amends=False)
    assert compile_draft({CHAT: FILES[CHAT]}, amends=True).digest == compile_rulebook(FILES).digest
    without = {name: each for name, each in FILES.items() if "/" not in name}
    with pytest.raises(RulebookError, match=r"^notices.yaml:0: \[\] should be non-empty$"):
        compile_draft(without, amends=False)
    endless = edited(CHAT, "id: live-chat", f"id: 0x{'f' * 6000}")
    with pytest.raises(RulebookError, match=r"^a value that no rule has"):
        compile_draft(endless, amends=False)
    many = FILES[CHAT].rstrip() + b"\n" + ROW.replace("chat.text", "none").encode() * 50
    with pytest.raises(RulebookError) as caught:
        compile_draft({CHAT: many}, amends=True)
    assert len(str(caught.value).splitlines()) == DRAFT_PROBLEMS


def test_rows_that_decide_nothing_are_found() -> None:
    shadowed = edited(CHAT, "rows:\n", "rows:\n").copy()
    shadowed[CHAT] = shadowed[CHAT].rstrip() + b"\n" + ROW.encode()
    (problem,) = lint(shadowed)
    first = line(CHAT, "clause: §1.3")
    assert problem.line == FILES[CHAT].rstrip().count(b"\n") + 2
    assert problem.message == f"§9.9 is never reached: decided on line {first}"

    twice = FILES[CHAT].rstrip() + b"\n" + ROW.replace("chat.text", "location").encode() * 2
    (problem,) = lint({**FILES, CHAT: twice})
    assert problem.message.startswith("the same row as on line")

    idle = ROW.replace("[chat.text]", "needed").replace("chat_response", "statistics")
    (problem,) = lint({**FILES, CHAT: FILES[CHAT].rstrip() + b"\n" + idle.encode()})
    assert "covers nothing" in problem.message


def test_a_draft_can_neither_hide_behind_aliases_nor_go_without_a_rule() -> None:
    bomb = b"a: &a [x, x]\nb: [*a, *a]\n"
    (problem,) = lint({**FILES, CHAT: bomb})
    assert (problem.line, problem.message) == (2, "aliases are not allowed")
    silent = edited("house.yaml", "  relation: [house §relation]\n", "")
    (problem,) = lint(silent)
    assert "nowhere written: relation" in problem.message
    for missing in ("kinds.yaml", "house.yaml"):
        (problem,) = lint({name: each for name, each in FILES.items() if name != missing})
        assert (problem.file, problem.message) == (missing, "is missing")
    (problem,) = lint({**FILES, "secrets.yaml": b"a: b"})
    assert problem.message == "is no file of a rulebook"


def test_a_day_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(RulebookError):
        compile_rulebook(
            edited("notices/mi-early.yaml", "topics:", "effective: 2025-02-30\ntopics:")
        )


def test_show_tells_every_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["show", "mi-store@2025-05-20", "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| §4.1.4 | fraud_partner | fraud_prevention |" in shown
    assert "cannot be objected to" in shown
    assert main(["show", "live-chat"]) == 0
    assert "chat_response" in capsys.readouterr().out
    assert main(["show", "privacy-support@2024-12-16", "--format", "markdown"]) == 0
    inbound = "| §3.2 | comes in from identity_provider | identity_linking, sign_in |"
    assert inbound in capsys.readouterr().out
    assert main(["show"]) == 0
    assert "mi-early" in capsys.readouterr().out
    assert main(["show", "no-such"]) == 2


def test_diff_tells_what_is_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for name, content in edited(CHAT, "[chat.text, chat.attachment]", "[chat.text]").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert main(["diff", str(FOLDER), str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "live-chat §1.3 service_provider.llm: categories" in shown
    assert "chat.attachment, chat.text" in shown
    assert main(["diff", str(tmp_path), str(tmp_path)]) == 0
    (tmp_path / "kinds.yaml").unlink()
    assert main(["diff", str(FOLDER), str(tmp_path)]) == 2


def test_diff_replays_recorded_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    known = facts("fraud_partner")
    asked = question(purpose="fraud_prevention", categories=("account.reliability",))
    recorded = [
        Recorded("decisions/one", asked, known),
        Recorded("decisions/two", question(), facts()),
    ]
    file = tmp_path / "sample.jsonl"
    file.write_text("\n".join(write_lines(recorded)), encoding="utf-8")
    read = read_lines(file.read_text(encoding="utf-8"))
    assert [each.question for each in read] == [each.question for each in recorded]
    assert [each.facts.subject for each in read] == [each.facts.subject for each in recorded]
    draft = tmp_path / "draft"
    narrower = edited(
        "notices/mi-store@2025-05-20.yaml",
        "[account.id, account.reliability]\n    basis",
        "[account.id]\n    basis",
    )
    for name, content in narrower.items():
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_bytes(content)
    assert main(["diff", str(FOLDER), str(draft), "--decisions", str(file)]) == 1
    told = capsys.readouterr()
    assert "decisions/one" in told.out
    assert "NOT_IN_NOTICE" in told.out
    assert "decisions/two" not in told.out
    assert "2 questions replayed, 1 answered otherwise" in told.err
    file.write_text("{}\n", encoding="utf-8")
    assert main(["diff", str(FOLDER), str(draft), "--decisions", str(file)]) == 2


def test_the_command_is_where_people_look_for_it() -> None:
    done = subprocess.run(  # noqa: S603  our own script
        [ROOT / "bin/rulebook", "lint", FOLDER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing is wrong" in done.stderr
