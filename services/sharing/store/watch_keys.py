"""The names under which Watch tells of changes: opaque where the true one would show a person."""

from functools import lru_cache

from runtime.seal import Sealer
from services.sharing.domain.freshness import Change, ChangeKind

_KEPT = 1 << 16
_OPAQUE = frozenset({ChangeKind.PERSON, ChangeKind.INSTRUMENT})


class WatchKeys:
    """`domain.ports.WatchKeys`: an HMAC under the sealing key, so equal on every replica.

    Whoever has no permit that names the key cannot tell whose it is.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._opaque = lru_cache(maxsize=_KEPT)(lambda name: sealer.derive("watch", name))

    def of(self, change: Change) -> str:
        """Return the key of what was altered."""
        return self._opaque(change.key) if change.kind in _OPAQUE else change.key
