"""The calendar: what of the agreements in force ends on which day.

Nothing ends because of it. A decision reads the dates themselves; the calendar is for people.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.sharing.domain.records import Terms


class ExpiryKind(StrEnum):
    """What ends."""

    TERM = "term"
    DUE_DILIGENCE = "due_diligence"
    SAFEGUARD = "safeguard"
    INSTRUMENT = "instrument"


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that counts through the end of a day."""

    day: date
    kind: ExpiryKind
    resource: str  # contracts/… or instruments/…
    recipient: str = ""
    safeguard: str = ""


def ends_of(resource: str, recipient: str, terms: Terms) -> list[Expiry]:
    """Return what ends of a contract."""
    ends = [Expiry(terms.expires, ExpiryKind.TERM, resource, recipient)]
    if terms.due_diligence:
        until = terms.due_diligence.expires
        ends.append(Expiry(until, ExpiryKind.DUE_DILIGENCE, resource, recipient))
    ends.extend(
        Expiry(detail.expires, ExpiryKind.SAFEGUARD, resource, recipient, detail.safeguard)
        for detail in terms.safeguard_details
        if detail.expires
    )
    return ends
