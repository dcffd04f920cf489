"""An account and the facts about its person that the rules elsewhere stand on."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from runtime.fault import invalid

LANGUAGES = ("en", "zh-Hant")
# The notice that a new account must accept; the portal shows it, the rulebook dates it.
NOTICE = "mi-store@2025-05-20"
_OLDEST = date(1900, 1, 1)


class State(Enum):
    """How far an account is open."""

    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account. `version` counts the changes that sharing must hear of, from 1."""

    name: str
    state: State
    country: str
    birth_date: date | None
    language: str
    accepted_notice: str
    created: datetime
    version: int


def birth_date(text: str | None, today: date) -> date | None:
    """Read a birth date; None when the person did not say, which is their right."""
    if text is None:
        return None
    try:
        born = date.fromisoformat(text)
    except ValueError:
        raise invalid("birth_date", "must be YYYY-MM-DD") from None
    if text != born.isoformat() or not _OLDEST <= born <= today:
        raise invalid("birth_date", f"must be YYYY-MM-DD, from {_OLDEST} to today")
    return born


def language(text: str) -> str:
    """Check a language."""
    if text not in LANGUAGES:
        raise invalid("language", f"must be one of: {', '.join(LANGUAGES)}")
    return text
