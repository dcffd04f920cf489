"""How records stood at a past moment.

A record counts from its own date: a consent or a choice from `at`; what a contract or an
instrument says carries its dates within. A change counts from when it was recorded: a step of a
contract or an instrument, a later revision of a consent, a lifted choice, a later version of a
subject. Both count from that very moment on.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.sharing.domain.agreement import Step
from services.sharing.domain.records import Consent, ContractState, Preference


def standing(steps: Iterable[Step], at: datetime) -> tuple[int, ContractState] | None:
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


def consents_at(revisions: Iterable[tuple[Consent, datetime]], at: datetime) -> Sequence[Consent]:
    """Return each consent at the revision that stood at a moment, in the order of first recording.

    `revisions` come in the order of recording, each with the moment from which it counts.
    """
    stood: dict[str, Consent] = {}
    for consent, since in revisions:
        if since <= at:
            stood[consent.name] = consent
    return list(stood.values())


def choices_at(choices: Iterable[Preference], at: datetime) -> Sequence[Preference]:
    """Return the choices that stood at a moment, in their order."""
    return [
        choice
        for choice in choices
        if choice.at <= at and (choice.lifted is None or choice.lifted > at)
    ]
