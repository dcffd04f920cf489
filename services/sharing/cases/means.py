"""What every case works with."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.sharing.domain.ports import Signer, Store
from services.sharing.domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Means:
    """The store, the rules, the clock, the signing keys, and the region of this process."""

    store: Store
    rulebook: Rulebook
    clock: Clock
    region: str
    signer: Signer
