"""What every case works with."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.sharing.domain.ports import Store
from services.sharing.domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Means:
    """The store, the rules, the clock, and the region that this process belongs to."""

    store: Store
    rulebook: Rulebook
    clock: Clock
    region: str
