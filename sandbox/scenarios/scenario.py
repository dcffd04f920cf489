"""Reads scenario files: what is given, what is done, what is asked and what has to come of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from accord.sharing.v1 import decision_pb2

from sandbox.scenarios import given
from sandbox.scenarios.reading import Mapping, Part, documents
from sandbox.scenarios.steps import Step, StepReader
from sandbox.scenarios.words import Words, keys
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import Obligation, Outcome, Reason

# An answer to a question that the rules know no words for; it is never a permit.
INVALID = "INVALID_ARGUMENT"
_OUTCOMES = (*(outcome.value for outcome in Outcome), INVALID)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a check states; what it omits is None and not compared."""

    outcome: str | None = None
    reasons: tuple[str, ...] | None = None  # all of the deciding class
    citations: tuple[str, ...] | None = None  # contained in the answer's
    permitted_categories: tuple[str, ...] | None = None
    obligations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A question, what is done before it, and what is expected."""

    steps: tuple[Step, ...]
    question: decision_pb2.Question
    said: str  # the question, in the file's words, on one line
    region: str
    now: datetime
    as_of: datetime | None
    expected: Expected


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario."""

    title: str
    now: datetime
    given: given.Given
    checks: tuple[Check, ...]


def read_file(path: Path, rulebook: Rulebook) -> list[Scenario]:
    """Read the scenarios of a file; FileError says on which line it is wrong."""
    return [_scenario(document, rulebook) for document in documents(path)]


def _scenario(part: Part, rulebook: Rulebook) -> Scenario:
    fields = part.mapping(("scenario", "now", "given", "checks"))
    now = fields["now"].moment()
    words = Words(rulebook)
    facts = given.read(fields["given"], words, now)
    reader = _CheckReader(words, StepReader(words, facts), now)
    checks = [check for each in fields.list("checks") if (check := reader.read(each))]
    if not checks:
        raise fields["checks"].wrong("at least one question is needed")
    return Scenario(fields.text("scenario"), now, facts, tuple(checks))


class _CheckReader:
    """Reads the entries of `checks` in their order."""

    def __init__(self, words: Words, steps: StepReader, now: datetime) -> None:
        self._words = words
        self._reader = steps
        self._now = now
        self._waiting: list[Step] = []  # steps that no question follows yet

    def read(self, part: Part) -> Check | None:
        """Read an entry; None when it asks nothing."""
        expecting = ("expect", "because", "cites", "permitted_categories", "obligations")
        fields = part.mapping((), ("do", "ask", "at", *expecting))
        if "do" in fields:
            self._waiting += self._reader.read(fields["do"])
        if "ask" not in fields:
            if set(fields.values) != {"do"}:
                raise part.wrong("ask: missing")
            return None
        steps, self._waiting = tuple(self._waiting), []
        now = fields["at"].moment() if "at" in fields else self._now
        return self._asked(fields["ask"], steps, now, _expected(fields))

    def _asked(
        self, part: Part, steps: tuple[Step, ...], now: datetime, expected: Expected
    ) -> Check:
        fields = part.mapping(
            ("service", "recipient", "purpose", "categories"),
            (
                *("account", "guest", "destination", "relation", "subprocessor", "instrument"),
                *("signed_in", "de_identified", "as_of"),
            ),
        )
        words = self._words
        account = words.account(fields["account"]) if "account" in fields else ""
        instrument = ""
        if "instrument" in fields:
            instrument = words.declared("instruments", fields["instrument"])
        question = decision_pb2.Question(
            account=account,
            service=fields.text("service"),
            recipient=words.declared("recipients", fields["recipient"]),
            purpose=fields.text("purpose"),
            categories=fields.texts("categories"),
            destination=fields.text("destination"),
            relation=fields.text("relation"),
            subprocessor=fields.text("subprocessor"),
            instrument=instrument,
            signed_in=fields.flag("signed_in"),
            de_identified=fields.flag("de_identified"),
        )
        region = account[len("accounts/") :].partition("-")[0] or words.somewhere
        if "guest" in fields:
            guest = fields["guest"].mapping(("jurisdiction", "session"))
            question.guest.jurisdiction = guest.text("jurisdiction")
            question.guest.session = guest.text("session")
            region = words.region(question.guest.jurisdiction)
        return Check(
            steps=steps,
            question=question,
            said=_said(fields),
            region=region,
            now=now,
            as_of=fields["as_of"].moment() if "as_of" in fields else None,
            expected=expected,
        )


def _expected(fields: Mapping) -> Expected:
    outcome = fields["expect"].one_of(_OUTCOMES) if "expect" in fields else None
    ruled = outcome != INVALID
    return Expected(
        outcome=outcome,
        reasons=_words(fields, "because", [reason.value for reason in Reason] if ruled else None),
        citations=_words(fields, "cites"),
        permitted_categories=_words(fields, "permitted_categories"),
        obligations=_words(fields, "obligations", [duty.value for duty in Obligation]),
    )


def _words(fields: Mapping, name: str, known: list[str] | None = None) -> tuple[str, ...] | None:
    if name not in fields:
        return None
    if known is not None:
        keys(fields.list(name), known)
    return fields.texts(name)


def _said(fields: Mapping) -> str:
    """Say a question as one line: whose data, to whom, for what, then the rest."""
    if "account" in fields:
        who = fields.text("account")
    else:
        who = f"guest {fields['guest'].said()}" if "guest" in fields else "nobody"
    first = {"account", "guest", "service", "recipient", "purpose", "categories"}
    rest = [f"{key}={value.said()}" for key, value in fields.values.items() if key not in first]
    return " ".join(
        [
            f"{who} {fields.text('service')} -> {fields.text('recipient')}",
            f"{fields.text('purpose')} {fields['categories'].said()}",
            *rest,
        ]
    )
