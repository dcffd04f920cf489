"""What every case works with."""

from dataclasses import dataclass

from runtime.clock import Clock
from services.sharing.domain.ports import FactsMemory, Feed, Signer, Store, WatchKeys
from services.sharing.domain.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Means:
    """What this process decides with; `feed.token()` goes with the answer to every write."""

    store: Store
    feed: Feed
    facts: FactsMemory
    rulebook: Rulebook
    clock: Clock
    region: str
    signer: Signer
    watch_keys: WatchKeys
