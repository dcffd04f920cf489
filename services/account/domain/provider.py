"""An identity provider as data: which one it is, where it is on offer, whom it may vouch for."""

from dataclasses import dataclass

from services.account.domain import faults
from services.account.domain.profile import Field


@dataclass(frozen=True, slots=True)
class Provider:
    """What the rules need to know of a provider; how to speak to it is the peers' matter."""

    key: str
    title: str
    issuer: str
    fields: tuple[Field, ...]
    only_in: frozenset[str] | None  # countries; None: everywhere but `not_in`
    not_in: frozenset[str]

    def offered_in(self, country: str) -> bool:
        """Return whether people of a country may use it."""
        return country not in self.not_in and (self.only_in is None or country in self.only_in)

    def require_offered_in(self, country: str) -> None:
        """Refuse with PROVIDER_NOT_OFFERED where it is not on offer."""
        if not self.offered_in(country):
            raise faults.provider_not_offered(self.key, country)


@dataclass(frozen=True, slots=True)
class EmailAuthority:
    """For which addresses a provider's word counts as verified.

    A provider knows who reads a mailbox only where it runs the mailbox: its own domains, or a
    domain that it hosts (`hd`). Elsewhere `email_verified` is hearsay of an unknown age.
    """

    domains: frozenset[str] = frozenset()
    hosted: bool = False

    def vouches(self, email: object, *, verified: object, hosted_domain: object) -> bool:
        """Return whether the provider verified the address and is the authority for it."""
        if verified is not True or not isinstance(email, str):
            return False
        local, _, domain = email.lower().partition("@")
        if not local or "@" in domain:
            return False
        return domain in self.domains or (self.hosted and hosted_domain == domain)
