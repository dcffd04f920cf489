"""What the portal asks people to consent to.

An offer proposes; it grants nothing. Sharing checks the consent that comes of it against the
rulebook like any other, so a wrong line here can at worst ask for something that has no effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """One question of consent: for a service, a purpose, a kind of recipient, and which data.

    `key` is also the catalog's key. The person may narrow the data and the recipient.
    """

    key: str
    service: str
    purpose: str
    kind: str
    categories: Sequence[str]


_INTERESTS = (
    "account.id",
    "contact.email",
    "device.advertising_id",
    "usage.purchases",
    "usage.browsing",
    "usage.search",
)

NOTICE = "mi-store@2025-05-20"

OFFERS = (
    Offer("newsletter", "mi_store", "newsletter", "affiliate", ("contact.email",)),
    Offer(
        "advertising", "mi_store", "direct_marketing", "service_provider.advertising", _INTERESTS
    ),
    Offer("recommendation", "mi_store", "personalised_recommendation", "affiliate", _INTERESTS),
    Offer("review", "mi_store", "review_display", "public", ("content.review", "account.nickname")),
    Offer(
        "posting",
        "mi_store",
        "activity_posting",
        "identity_provider",
        ("content.review", "usage.purchases"),
    ),
)


def find_offer(key: str) -> Offer | None:
    """Return the offer of a key."""
    return next((offer for offer in OFFERS if offer.key == key), None)
