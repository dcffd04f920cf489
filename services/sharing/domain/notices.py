"""What is new for a person in a notice since the version that they accepted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.sharing.domain.records import Preference, PreferenceKind, Subject
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import STATISTICS


@dataclass(frozen=True, slots=True)
class Addition:
    """Categories that a kind of recipient may have for a purpose by the newer version alone."""

    kind: str
    purpose: str
    citations: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoticeChange:
    """A notice in force, and what it adds to the version that counts as accepted."""

    notice: str
    accepted: str
    by_choice: bool  # False: none was accepted, so that the one counts with which the account began
    services: tuple[str, ...]
    additions: tuple[Addition, ...]


def accepted_version(
    rulebook: Rulebook, versions: Sequence[str], accepted: Iterable[str], since: date
) -> str:
    """Return the version accepted last, else the one in force when the account began."""
    last = ""
    for value in accepted:
        if value in versions:
            last = value
    return last or rulebook.in_force(versions, since)


def notice_changes(
    rulebook: Rulebook, subject: Subject, preferences: Iterable[Preference], today: date
) -> list[NoticeChange]:
    """Return what is not shared until the person accepts: where gate 3 says RECONSENT_REQUIRED."""
    accepted = [each.value for each in preferences if each.kind is PreferenceKind.ACCEPTED_NOTICE]
    services: dict[tuple[str, ...], list[str]] = {}
    for service in rulebook.services:
        versions = rulebook.speaking(service, today).versions
        if versions:
            services.setdefault(versions, []).append(service)
    changes = []
    for versions, spoken_for in services.items():
        known = accepted_version(rulebook, versions, accepted, subject.since.date())
        additions = tuple(_additions(rulebook, spoken_for, known, today))
        if additions:
            changes.append(
                NoticeChange(
                    versions[-1],
                    known,
                    by_choice=known in accepted,
                    services=tuple(spoken_for),
                    additions=additions,
                )
            )
    return changes


def _additions(
    rulebook: Rulebook, services: Sequence[str], accepted: str, today: date
) -> Iterable[Addition]:
    """Yield what the notices that speak for the services have, and the accepted version has not."""
    seen = set()
    for service in services:
        for (kind, purpose), cells in rulebook.speaking(service, today).cells.items():
            known = rulebook.cells[accepted].get((kind, purpose), {})
            new = tuple(key for key in cells if key not in known)
            # Statistics are about nobody.
            if not new or purpose == STATISTICS or (kind, purpose, new) in seen:
                continue
            seen.add((kind, purpose, new))
            citations = tuple(dict.fromkeys(cells[key].citation for key in new))
            yield Addition(kind, purpose, citations, new)
