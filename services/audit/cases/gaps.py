"""The alarm for entries that a producer does not have any more: a gap that nobody fills."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime import logs
from runtime.clock import Clock
from runtime.event import Event
from runtime.fault import Fault
from services.audit.cases.record import Record

log = logs.get(__name__)

# Requests that travel together overtake one another, and a log that was rebuilt asks for what it
# lacks: the producer's next attempts make both good. What is missing for so long is lost.
_LASTS = timedelta(seconds=10)


class _Gap(NamedTuple):
    expected: int
    since: datetime
    told: bool


class Gaps:
    """Tells a gap that lasts from one that passes, and raises the alarm once for each."""

    def __init__(self, record: Record, clock: Clock, alarm: Callable[[str], None]) -> None:
        self._record = record
        self._clock = clock
        self._alarm = alarm
        self._gaps: dict[str, _Gap] = {}  # the newest of each producer, which are few

    async def refused(self, producer: str, expected: int) -> None:
        """Take note that a producer was refused: the log lacks its entries from `expected` on."""
        now = self._clock.now()
        gap = self._gaps.get(producer)
        if gap is None or gap.expected != expected:
            self._gaps[producer] = _Gap(expected, now, told=False)
            return
        if gap.told or now - gap.since < _LASTS:
            return
        self._gaps[producer] = gap._replace(told=True)
        log.error("entries are missing", producer=producer, expected=expected)
        self._alarm("entries_missing")
        try:
            await self._record(
                Event(
                    action="audit:producer:gap",
                    outcome="failure",
                    time=now,
                    fields={"producer": producer, "expected": str(expected)},
                )
            )
        except Fault as fault:  # it is told again by the next refusal
            self._gaps[producer] = gap
            log.warning("a gap is not on record yet", producer=producer, reason=fault.reason)
