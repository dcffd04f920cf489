"""Judging consents: the covering one that was recorded last decides, for each category alone.

When each was given or refused is shown, never compared: a clock that jumps back must not revive
what was withdrawn.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import Enum, auto

from services.sharing.domain.records import Consent, ConsentState


class ConsentVerdict(Enum):
    """What the person's consents say about one category."""

    GIVEN = auto()
    REFUSED = auto()
    WITHDRAWN = auto()
    EXPIRED = auto()
    SCOPE = auto()  # a given one exists, but for another purpose, recipient or category
    MISSING = auto()


class ConsentJudge:
    """The person's consents for one service, purpose and recipient at one moment."""

    __slots__ = ("_covering", "_now", "_related")

    def __init__(
        self,
        consents: Sequence[Consent],
        service: str,
        purpose: str,
        recipient_keys: Iterable[str],
        now: datetime,
    ) -> None:
        """Take consents in the order of recording."""
        keys = frozenset(recipient_keys)
        self._now = now
        self._covering: list[Consent] = []  # all but the category matches; last first
        self._related = False
        for consent in reversed(consents):
            scope = consent.scope
            if scope.service not in ("", service):
                continue
            for_purpose = purpose in scope.purposes
            for_recipient = scope.recipient in keys
            if for_purpose and for_recipient:
                self._covering.append(consent)
            if (for_purpose or for_recipient) and self._state(consent) is ConsentVerdict.GIVEN:
                self._related = True

    def judge(self, category_keys: frozenset[str]) -> tuple[ConsentVerdict, Consent | None]:
        """Judge a category, given by its key and prefixes."""
        for consent in self._covering:
            if not category_keys.isdisjoint(consent.scope.categories):
                return self._state(consent), consent
        return (ConsentVerdict.SCOPE if self._related else ConsentVerdict.MISSING), None

    def _state(self, consent: Consent) -> ConsentVerdict:
        match consent.state:
            case ConsentState.REFUSED:
                return ConsentVerdict.REFUSED
            case ConsentState.WITHDRAWN:
                return ConsentVerdict.WITHDRAWN
        if consent.expires is not None and consent.expires <= self._now:
            return ConsentVerdict.EXPIRED
        return ConsentVerdict.GIVEN
