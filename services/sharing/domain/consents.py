"""Judging consents: the covering one that was recorded last decides, for each category alone.

When each was given or refused is shown and not compared, unless it was dated ahead: a clock that
jumps back must not revive what was withdrawn.
"""

from collections.abc import Collection, Iterable, Sequence
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


# What each state says; a state that is missing says nothing, so that an earlier answer stands.
_SAYS = {
    ConsentState.GIVEN: ConsentVerdict.GIVEN,
    ConsentState.RENEWED: ConsentVerdict.GIVEN,
    ConsentState.REFUSED: ConsentVerdict.REFUSED,
    ConsentState.WITHDRAWN: ConsentVerdict.WITHDRAWN,
    ConsentState.REVOKED: ConsentVerdict.WITHDRAWN,
    ConsentState.EXPIRED: ConsentVerdict.EXPIRED,
}


def standing(revisions: Iterable[Consent]) -> list[Consent]:
    """Return each consent as its newest revision leaves it, in the order of the latest answers.

    `revisions` come in the order of recording. A withdrawal, a request or a finding is about an
    answer and keeps its place; a renewal is an answer of its own.
    """
    newest: dict[str, Consent] = {}
    for revision in revisions:
        if revision.answered:
            newest.pop(revision.name, None)
        newest[revision.name] = revision
    return list(newest.values())


class ConsentJudge:
    """The person's consents for one service, purpose and recipient at one moment."""

    __slots__ = ("_covering", "_related")

    def __init__(
        self,
        consents: Sequence[Consent],
        service: str,
        purpose: str,
        recipient_keys: Collection[str],
        now: datetime,
    ) -> None:
        """Take consents in the order of their answers."""
        # All but the category matches; last first.
        self._covering: list[tuple[ConsentVerdict, Consent]] = []
        self._related = False
        for consent in reversed(consents):
            scope = consent.scope
            for_purpose = purpose in scope.purposes
            for_recipient = scope.recipient in recipient_keys
            if not (for_purpose or for_recipient) or (scope.service and scope.service != service):
                continue
            if consent.ahead is not None and consent.ahead > now:
                continue
            says = _SAYS.get(consent.state_at(now))
            if says is not None and for_purpose and for_recipient:
                self._covering.append((says, consent))
            if says is ConsentVerdict.GIVEN:
                self._related = True

    def judge(self, category_keys: frozenset[str]) -> tuple[ConsentVerdict, Consent | None]:
        """Judge a category, given by its key and prefixes."""
        for says, consent in self._covering:
            if not category_keys.isdisjoint(consent.scope.categories):
                return says, consent
        return (ConsentVerdict.SCOPE if self._related else ConsentVerdict.MISSING), None
