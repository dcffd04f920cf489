"""Signs actor tokens with account's keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runtime.actor import mint
from runtime.call import Actor
from runtime.clock import Clock
from runtime.signing_keys import SigningKeys


@dataclass(frozen=True, slots=True)
class ActorKeys:
    """`domain.ports.Signer`."""

    keys: SigningKeys
    clock: Clock
    region: str

    async def sign(
        self, account: str, roles: frozenset[str], audiences: Sequence[str], auth_time: datetime
    ) -> str:
        """Return a token, good for a minute."""
        now, key = self.clock.now(), await self.keys.current()
        actor = Actor(account, roles, auth_time)
        return mint(key, region=self.region, actor=actor, audiences=audiences, now=now)

    async def jwks(self) -> str:
        """Return the public keys as a JSON Web Key Set."""
        return await self.keys.jwks()
