"""A person looks at what they agreed to and what they stopped, and at what else they are asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.portal.domain.consents import Consent
from services.portal.domain.offers import NOTICE, OFFERS, Offer
from services.portal.domain.person import Person
from services.portal.domain.ports import Accounts, Choices, Consents
from services.portal.domain.sharing import (
    Choice,
    Notice,
    Preference,
    Purpose,
    Recipient,
    Vocabulary,
)


@dataclass(frozen=True)
class SharingDesk:
    """Everything on the sharing page, standing things before past ones."""

    vocabulary: Vocabulary
    recipients: Mapping[str, Recipient]
    asked: Sequence[Consent]
    standing: Sequence[Consent]
    past: Sequence[Consent]
    open_offers: Sequence[Offer]
    opt_outs: Mapping[Choice, Preference | None]
    restriction: Preference | None
    objections: Sequence[Preference]
    stops: Sequence[Preference]
    objectionable: Sequence[Purpose]
    stoppable: Sequence[Recipient]
    notice: Notice | None
    accepted: datetime | None
    changed: bool  # something is new in a notice since the version that was accepted


async def sharing_desk(
    consents: Consents, choices: Choices, accounts: Accounts, person: Person
) -> SharingDesk:
    """Gather the page."""
    account, vocabulary, recipients, said, preferences, changes = await asyncio.gather(
        accounts.account(person),
        choices.vocabulary(person),
        choices.recipients(person),
        consents.all(person),
        choices.preferences(person),
        choices.notice_changes(person),
    )
    standing = [consent for consent in said if consent.stands]
    in_force = [preference for preference in preferences if preference.stands]
    objections = [preference for preference in in_force if preference.object_to]
    stops = [preference for preference in in_force if preference.stop_sharing_with]
    objected = {preference.object_to for preference in objections}
    notice = vocabulary.notice(NOTICE)
    stopped = {preference.stop_sharing_with for preference in stops}
    return SharingDesk(
        vocabulary=vocabulary,
        recipients={recipient.name: recipient for recipient in recipients},
        standing=standing,
        asked=[consent for consent in said if consent.open],
        past=[consent for consent in said if not (consent.stands or consent.open)],
        open_offers=[offer for offer in OFFERS if not _answered(offer, standing)],
        opt_outs={
            choice: next((each for each in in_force if each.opt_out is choice), None)
            for choice in Choice
        },
        restriction=next((each for each in in_force if each.restricted), None),
        objections=objections,
        stops=stops,
        objectionable=[
            purpose for purpose in vocabulary.objectionable() if purpose.key not in objected
        ],
        stoppable=[recipient for recipient in recipients if recipient.name not in stopped],
        notice=notice,
        accepted=notice.accepted(preferences, since=account.since) if notice else None,
        changed=bool(changes),
    )


def _answered(offer: Offer, standing: Sequence[Consent]) -> bool:
    """Tell whether a standing consent already says yes to the whole kind that is offered."""
    return any(
        consent.scope.recipient == offer.kind and offer.purpose in consent.scope.purposes
        for consent in standing
    )
