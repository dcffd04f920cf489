"""What every case works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from runtime.clock import Clock
from services.sharing.domain.fact_ports import FactsMemory, Feed
from services.sharing.domain.ports import DecisionCodec, Register, Signer, Store, WatchKeys
from services.sharing.domain.revocation import NoticeRules
from services.sharing.domain.rulebook import Rulebook


class Compile(Protocol):
    """Makes a draft of the rules from its files."""

    def __call__(self, files: Mapping[str, bytes], *, amends: bool) -> Rulebook:
        """Take the files as the whole, or in the place of those in force."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What this process decides with; `feed.token()` goes with the answer to every write."""

    store: Store
    feed: Feed
    facts: FactsMemory
    codec: DecisionCodec
    register: Register
    rulebook: Rulebook
    clock: Clock
    region: str
    signer: Signer
    watch_keys: WatchKeys
    notices: NoticeRules
    compile: Compile
