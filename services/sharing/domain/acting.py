"""Who acts, in which trace: what every event says."""

from dataclasses import dataclass

from runtime.event import Trace


@dataclass(frozen=True, slots=True)
class Acting:
    """The account or SPIFFE id that acts, and where in a trace it does."""

    who: str
    trace: Trace
