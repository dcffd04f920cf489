"""Which end concerns what a recipient received: consents, choices, the account's status.

What law ordered is never asked about here: neither the person nor we can call it back. What was
sent may name a category, kind or purpose that the rules have retired since: it ends all the same.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from services.sharing.domain.consents import ConsentJudge
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    Preference,
    PreferenceKind,
    SubjectStatus,
)
from services.sharing.domain.revocation import Cause, Received
from services.sharing.domain.rulebook import Rulebook
from services.sharing.domain.vocabulary import DATA_HOSTING, LEGAL_CLAIMS, prefixes

Concern = tuple[Cause, Callable[[Received], bool]]

_ENDS = {
    ConsentState.REFUSED: Cause.CONSENT_REFUSED,
    ConsentState.WITHDRAWN: Cause.CONSENT_WITHDRAWN,
    ConsentState.REVOKED: Cause.CONSENT_REVOKED,
    ConsentState.INVALIDATED: Cause.CONSENT_INVALIDATED,
    ConsentState.EXPIRED: Cause.CONSENT_EXPIRED,
}


class Ends:
    """What a holder's consents, in the order of their answers, say now of what rests on them."""

    def __init__(self, consents: Sequence[Consent], rulebook: Rulebook, now: datetime) -> None:
        self._consents = consents
        self._rulebook = rulebook
        self._now = now
        self._known = {consent.name: consent for consent in consents}
        # Most of what one holder's data was sent for was sent for the same, to the same.
        self._judges: dict[tuple[str, str, str], ConsentJudge] = {}

    def of(self, held: Received) -> dict[str, Cause]:
        """Return why the yes that each category rests on counts no more; without those that do.

        Either that consent has ended, or a later answer that covers the category says otherwise.
        """
        found: dict[str, Cause] = {}
        judge = self._judge(held)
        for name, categories in held.sent.consents.items():
            for category in categories:
                keys = self._rulebook.category_keys.get(category) or prefixes(category)
                _, decides = judge.judge(keys)
                cause = self._cause(self._known.get(name)) or self._cause(decides)
                if cause:
                    found[category] = cause
        return found

    def _cause(self, consent: Consent | None) -> Cause | None:
        return _ENDS.get(consent.state_at(self._now)) if consent else None

    def _judge(self, held: Received) -> ConsentJudge:
        sent = held.sent
        about = sent.service, sent.purpose, sent.recipient
        if about not in self._judges:
            keys = _kind_keys(self._rulebook, held) | {sent.recipient}
            self._judges[about] = ConsentJudge(
                self._consents, sent.service, sent.purpose, keys, self._now
            )
        return self._judges[about]


def newly(before: Ends, after: Ends) -> Callable[[Received], Collection[Cause]]:
    """Return what tells why what is held may be used no longer, and could be before."""

    def causes(held: Received) -> Collection[Cause]:
        if not held.sent.consents:
            return ()
        return {cause for _, cause in after.of(held).items() - before.of(held).items()}

    return causes


def of_choice(choice: Preference, rulebook: Rulebook) -> Concern | None:
    """Return why and for what a standing choice matters; None for one that ends nothing."""
    value = choice.value
    match choice.kind:
        case PreferenceKind.STOP_SHARING_WITH:
            return (
                Cause.SHARING_STOPPED,
                lambda held: value == held.sent.recipient or value in _kind_keys(rulebook, held),
            )
        case PreferenceKind.OBJECT_TO:
            return (
                Cause.OBJECTED,
                lambda held: held.sent.purpose == value and held.beside_consent,
            )
        case PreferenceKind.OPT_OUT:
            stopped = {
                key for key, purpose in rulebook.purposes.items() if purpose.opt_out == value
            }
            return Cause.OPTED_OUT, lambda held: held.sent.purpose in stopped
        case PreferenceKind.RESTRICT:
            return Cause.PROCESSING_RESTRICTED, _restricted
    return None


def of_status(status: SubjectStatus) -> Concern | None:
    """Return why and for what an account's status matters; a freeze is ours to keep alone."""
    match status:
        case SubjectStatus.DELETED:
            return Cause.ACCOUNT_DELETED, lambda _: True
        case SubjectStatus.RESTRICTED:
            return Cause.PROCESSING_RESTRICTED, _restricted
    return None


def first(concerns: Iterable[Concern | None], held: Received) -> Cause | None:
    """Return the first cause that concerns what is held."""
    return next((each[0] for each in concerns if each and each[1](held)), None)


def _kind_keys(rulebook: Rulebook, held: Received) -> frozenset[str]:
    return rulebook.kind_keys.get(held.kind) or prefixes(held.kind)


def _restricted(held: Received) -> bool:
    """A restriction leaves what rests on consent, storage, and claims before a court."""
    return held.beside_consent and held.sent.purpose not in {DATA_HOSTING, LEGAL_CLAIMS}
