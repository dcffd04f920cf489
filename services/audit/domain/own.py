"""What someone may see of an entry that concerns themselves: nothing that is not listed here.

A person sees what lies sealed under their own key and is meant for them. That shuts out the names
of others and of staff, whose sections have other keys; what is said of third parties in a person's
own section (a note of an officer, a guardian's name) is left out by name. The dates and purposes of
looking someone up are theirs to know, who looked is not: CJEU C-579/21, Pankki S. Which workload
asked is no such name: it stands in the entry in clear.
"""

from collections.abc import Collection, Mapping
from datetime import date

from services.audit.domain.entry import OpenedEntry, Opening

_CONSENT = "service purposes categories recipients notice language method indicator"
_ASKED = "service recipients purpose categories destination"
_DECIDED = "decision.name decision.outcome decision.reasons decision.citations decision.rulebook"
_ANSWERED = f"{_DECIDED} contract contracts decision"
# By the beginning of the event's name: which values a person may see, the entry's own members
# among them. Of other events, such as a legal hold or what staff do among themselves, nothing; of
# what they did themselves, as staff, that they did it.
PERSON: Mapping[str, str] = {
    "account:account:": "country notice language birth_date",
    "account:link:": "provider imports ended_sessions",
    "account:session:": "provider",
    "account:staff:accept": "role",
    "sharing:decision:read": "purpose recipients",
    "sharing:decision:": f"{_ASKED} {_ANSWERED} relation",
    "sharing:disclosure:": f"{_DECIDED} recipients purpose categories records time",
    "sharing:consent:": _CONSENT,
    "sharing:preference:": "kind value recipients",
    "sharing:subject:": "status jurisdiction",
    "sharing:instrument:": "kind issuer categories on expires",
    "sharing:revocation:": "recipients cause contracts deadline",
    "sharing:explanation:": f"{_ASKED} as_of",
    "sharing:subjects:": "told",
    "audit:log:read": "purpose asked entries",
    "audit:log:tail": "purpose asked entries",
    "audit:log:export": "purpose asked entries",
    "audit:proof:": "purpose asked entries",
}
# Of these an order that must not be told could be guessed: while there is one, none is shown.
_BETRAYING = (
    "sharing:revocation:",
    "sharing:explanation:",
    "sharing:decision:read",
    "sharing:subjects:",
    "audit:",
)
_ORDERS = "sharing:instrument:"
ORDERS = tuple(number.to_bytes(2) for number in (2070, 2071, 2072))  # the keys of those events
# By the beginning of the event's name: what an app may see beyond the frame, which is what it sent
# or was answered, without whom it is about: what it has forgotten of people, it does not get here.
_APP: Mapping[str, str] = {
    "sharing:decision:": f"{_ASKED} {_ANSWERED}",
    "sharing:disclosure:": f"{_DECIDED} recipients purpose categories records time",
    "sharing:consent:": _CONSENT,
    "audit:log:": "purpose entries app",
    "audit:proof:": "purpose entries app",
}
# Of a person's own sections: themselves, and what was acted on.
_ALWAYS = frozenset({"account", "actor", "on_behalf_of", "resource"})


def order(opened: OpenedEntry, today: date) -> str:
    """Return the legal instrument of an entry about one that must not be told of today, else ""."""
    if not opened.event.action.startswith(_ORDERS):
        return ""
    until = _values(opened, "secret_until")
    return opened.event.resource if any(day >= today.isoformat() for day in until) else ""


def of_person(opened: OpenedEntry, secret: Collection[str]) -> frozenset[Opening] | None:
    """Return which openings of their own sections a person may see; None for none of the entry.

    `secret` are the legal instruments that the person must not be told of today. An entry that
    says one thing about the person under such an order is left out whole: its bytes would show how
    many things it says.
    """
    action = opened.event.action
    allowed = _allowed(PERSON, action)
    if allowed is None and (acted := [each for each in opened.openings if each.name == "@actor"]):
        return frozenset(acted)
    if allowed is None or (secret and action.startswith(_BETRAYING) and not _reads_own(opened)):
        return None
    if action.startswith(_ORDERS) and opened.event.resource in secret:
        return None
    if any(value in secret for value in _values(opened, "instrument")):
        return None
    return frozenset(each for each in opened.openings if _name(each) in allowed | _ALWAYS)


def of_app(opened: OpenedEntry) -> frozenset[Opening]:
    """Return which openings an app may see of an entry of what it did or what came through it."""
    allowed = _allowed(_APP, opened.event.action) or frozenset()
    return frozenset(each for each in opened.openings if _name(each) in allowed)


def _reads_own(opened: OpenedEntry) -> bool:
    event = opened.event
    return bool(event.actor) and event.actor == event.account


def _allowed(table: Mapping[str, str], action: str) -> frozenset[str] | None:
    for beginning, names in table.items():
        if action.startswith(beginning):
            return frozenset(names.split())
    return None


def _values(opened: OpenedEntry, name: str) -> list[str]:
    return [each.value for each in opened.openings if _name(each) == name]


def _name(opening: Opening) -> str:
    return opening.name.removeprefix("@")
