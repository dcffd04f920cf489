"""How records stood at a past moment.

A record counts from its own date: an answer or a choice from `at`; what a contract or an
instrument says carries its dates within. A change counts from when it was recorded: a step of a
contract or an instrument, what ends a consent, a lifted choice, a version of a subject.
Both count from that very moment on.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.sharing.domain.agreement import Step
from services.sharing.domain.consents import standing
from services.sharing.domain.records import (
    Consent,
    ConsentRevision,
    ContractState,
    Preference,
)


def contract_at(steps: Iterable[Step], at: datetime) -> tuple[int, ContractState] | None:
    """Return the version of a contract that decided at a moment, and its state.

    `steps` in the order of recording. None before the first of them. The version that was once
    put in force decides, else the latest.
    """
    latest = active = 0
    state = ContractState.DRAFT
    active_state: ContractState | None = None
    for step in steps:
        if step.time > at:
            continue
        match step.state:
            case ContractState.ACTIVE:
                active, active_state = step.version, step.state
            case ContractState.SUSPENDED | ContractState.TERMINATED if active:
                active_state = step.state
        if step.version >= latest:
            latest, state = step.version, step.state
    if not latest:
        return None
    return (active, active_state) if active and active_state else (latest, state)


def consents_at(revisions: Iterable[ConsentRevision], at: datetime) -> Sequence[Consent]:
    """Return each consent as it stood; `revisions` come in the order of recording."""
    return standing(
        revision.consent
        for revision in revisions
        if (revision.consent.at if _of_its_own(revision) else revision.recorded) <= at
    )


def _of_its_own(revision: ConsentRevision) -> bool:
    """Tell an answer, or the first revision, from a change to one that was there."""
    return revision.number == 1 or revision.consent.answered


def choices_at(choices: Iterable[Preference], at: datetime) -> Sequence[Preference]:
    """Return the choices that stood at a moment, in their order."""
    return [
        choice
        for choice in choices
        if choice.at <= at and (choice.lifted is None or choice.lifted > at)
    ]
