"""Reads `do`: what people, officers and account do between two checks."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from accord.sharing.v1 import consent_pb2, subject_pb2

from sandbox.scenarios import given
from sandbox.scenarios.reading import Mapping, Part
from sandbox.scenarios.words import Words

# The keys of a choice under `given`, the steps' own names, and what the product's requests say.
_CHOICES = {
    "opt_out": "opt_out",
    "choice": "opt_out",
    "object_to": "object_to",
    "object": "object_to",
    "purpose": "object_to",
    "stop_sharing_with": "stop_sharing_with",
    "stop_sharing": "stop_sharing_with",
    "recipient": "stop_sharing_with",
}
_CHOICE_OF = {"opt_out": "opt_out", "object": "object_to", "stop_sharing": "stop_sharing_with"}
_STATUS_OF = {
    "freeze": subject_pb2.SUBJECT_STATUS_FROZEN,
    "unfreeze": subject_pb2.SUBJECT_STATUS_ACTIVE,
    "restrict": subject_pb2.SUBJECT_STATUS_RESTRICTED,
    "delete": subject_pb2.SUBJECT_STATUS_DELETED,
}
_CONTRACT_VERBS = ("activate", "suspend", "terminate")
VERBS = (*("give", "refuse", "withdraw"), *_CHOICE_OF, "lift", *_CONTRACT_VERBS, *_STATUS_OF)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done. Of the fields behind `said` those are set that the verb needs."""

    verb: str
    said: str  # as the file says it, on one line
    account: str = ""
    contract: str = ""
    consent: int = 0  # number of the account's consent, in the file's order
    choice: tuple[str, str] = ("", "")
    scope: consent_pb2.ConsentScope | None = None
    expires: datetime | None = None
    status: subject_pb2.SubjectStatus.ValueType = subject_pb2.SUBJECT_STATUS_UNSPECIFIED


class StepReader:
    """Reads the steps of one scenario in their order, and counts consents and choices on."""

    def __init__(self, words: Words, facts: given.Given) -> None:
        self._words = words
        self._answers = facts.answers.copy()
        self._choices = deepcopy(facts.choices)

    def read(self, part: Part) -> Iterator[Step]:
        """Read `do`: one step, or a list of them."""
        for each in part.list() if part.is_list() else [part]:
            for verb, what in each.pairs():
                yield self._step(verb.one_of(VERBS), what)

    def _step(self, verb: str, part: Part) -> Step:
        said = f"{verb} {part.said()}"
        if verb in _CONTRACT_VERBS:
            named = part.mapping(("contract",))["contract"]
            return Step(verb, said, contract=self._words.declared("contracts", named))
        if verb in _STATUS_OF:
            named = part.mapping(("account",))["account"]
            return Step(verb, said, self._words.account(named), status=_STATUS_OF[verb])
        if verb in {"give", "refuse"}:
            return self._answer(verb, said, part)
        if verb == "withdraw":
            return self._withdrawal(said, part)
        return self._choosing(verb, said, part)

    def _answer(self, verb: str, said: str, part: Part) -> Step:
        fields = part.mapping(
            ("account", "purposes", "categories", "recipient"), ("service", "expires")
        )
        account = self._words.account(fields["account"])
        return Step(
            verb,
            said,
            account,
            consent=self._count(account),
            scope=given.scope(fields, self._words),
            expires=fields["expires"].end() if "expires" in fields else None,
        )

    def _withdrawal(self, said: str, part: Part) -> Step:
        fields = part.mapping(("account", "consent"))
        account = self._words.account(fields["account"])
        number = fields["consent"].ordinal()
        if number > self._answers[account]:
            raise fields["consent"].wrong(f"the account has no consent {number} up to here")
        return Step("withdraw", said, account, consent=number)

    def _choosing(self, verb: str, said: str, part: Part) -> Step:
        kinds = [key for key, kind in _CHOICES.items() if kind == _CHOICE_OF.get(verb, kind)]
        numbered = ["preference"] if verb == "lift" else []
        fields = part.mapping(("account",), (*kinds, *numbered))
        if len(fields.values) != 2:  # noqa: PLR2004  the account and the choice
            raise part.wrong(f"exactly one of {', '.join((*kinds, *numbered))} is needed here")
        account = self._words.account(fields["account"])
        made = self._choices[account]
        if "preference" in fields:
            number = fields["preference"].ordinal()
            if number > len(made):
                raise part.wrong(f"the account has no preference {number} up to here")
            return Step(verb, said, account, choice=made[number - 1])
        kind_of = {_CHOICES.get(key, key): value for key, value in fields.values.items()}
        choice = given.choice(Mapping(part, kind_of), self._words)
        if verb != "lift":
            made.append(choice)
        elif choice not in made:
            raise part.wrong("the account made no such choice up to here")
        return Step(verb, said, account, choice=choice)

    def _count(self, account: str) -> int:
        self._answers[account] += 1
        return self._answers[account]
