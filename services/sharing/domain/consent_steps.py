"""What may happen to a consent, and how it stands then."""

from datetime import date
from enum import StrEnum

from runtime.fault import Fault, invalid
from services.sharing.domain.records import (
    ConsentState,
    Indication,
    IndicationMethod,
    Indicator,
    Scope,
    Subject,
)
from services.sharing.domain.rulebook import Rulebook

_ASKED = (ConsentState.REQUESTED, ConsentState.DEFERRED)
_VALID = (ConsentState.GIVEN, ConsentState.RENEWED)
_OVER = (
    ConsentState.EXPIRED,
    ConsentState.WITHDRAWN,
    ConsentState.REVOKED,
    ConsentState.INVALIDATED,
)


class ConsentStep(StrEnum):
    """What is done about a consent."""

    GIVE = "give"
    REFUSE = "refuse"
    DEFER = "defer"
    WITHDRAW = "withdraw"
    REVOKE = "revoke"
    INVALIDATE = "invalidate"


# From which state each step leads where. A state that leads to itself is left as it stands.
_LEADS: dict[ConsentStep, dict[ConsentState, ConsentState]] = {
    ConsentStep.GIVE: {
        **dict.fromkeys(_ASKED, ConsentState.GIVEN),
        **dict.fromkeys((*_VALID, ConsentState.EXPIRED), ConsentState.RENEWED),
    },
    ConsentStep.REFUSE: dict.fromkeys(_ASKED, ConsentState.REFUSED),
    ConsentStep.DEFER: dict.fromkeys(_ASKED, ConsentState.DEFERRED),
    # What is over is not ended again: an expired consent was never withdrawn.
    ConsentStep.WITHDRAW: {
        **dict.fromkeys(_VALID, ConsentState.WITHDRAWN),
        **{state: state for state in _OVER},
    },
    ConsentStep.REVOKE: {
        **dict.fromkeys(_VALID, ConsentState.REVOKED),
        **{state: state for state in _OVER},
    },
    # Never of a consent that was withdrawn: an earlier yes would come back.
    ConsentStep.INVALIDATE: {
        **dict.fromkeys((*_VALID, ConsentState.EXPIRED), ConsentState.INVALIDATED),
        ConsentState.INVALIDATED: ConsentState.INVALIDATED,
    },
}


def follow(state: ConsentState, step: ConsentStep) -> ConsentState:
    """Return how a consent stands after a step; WRONG_STATE where it makes no sense."""
    after = _LEADS[step].get(state)
    if after is None:
        raise Fault(
            "WRONG_STATE",
            f"a consent that is {state.value} has nothing to {step.value}",
            metadata={"state": state.value},
        )
    return after


def check_indication(indication: Indication) -> None:
    """Refuse what nobody can have said so."""
    someone_else = indication.by in {Indicator.GUARDIAN, Indicator.REPRESENTATIVE}
    if someone_else != bool(indication.name):
        raise invalid("indication.name", "names the guardian or representative, and nobody else")
    by_guardian = indication.by is Indicator.GUARDIAN
    if indication.method is IndicationMethod.GUARDIAN_FORM and not by_guardian:
        raise invalid("indication.method", "a guardian's form is filled in by a guardian")


def check_age(
    subject: Subject, scope: Scope, by: Indicator, rulebook: Rulebook, today: date
) -> None:
    """Refuse a yes that a minor cannot give alone, and one that nobody can give for a minor.

    Who is a minor, the jurisdiction says; whose age is unknown is none. To refuse and to withdraw
    needs no age.
    """
    adult_age = rulebook.places[subject.jurisdiction].adult_age
    age = subject.age(today)
    minor = age is not None and age < adult_age
    if by is Indicator.GUARDIAN and not minor:
        raise invalid("indication.indicator", "a guardian speaks for a minor alone")
    if not minor:
        return
    for purpose in sorted(scope.purposes):
        if rulebook.purposes[purpose].marketing:
            raise Fault(
                "NOT_FOR_MINORS",
                "data of minors is never used for this purpose",
                metadata={"purpose": purpose},
            )
    if by is not Indicator.GUARDIAN:
        raise Fault(
            "GUARDIAN_REQUIRED",
            "a minor's consent is given by a guardian",
            metadata={"adult_age": str(adult_age)},
        )
