"""Puts reading on record before anything is shown: who, why, by which filters, how much."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event, Section
from services.audit.cases.record import Record
from services.audit.domain.ports import Keys
from services.audit.domain.wanted import Wanted

OWN = "own"  # the purpose of whoever reads what concerns themselves


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, why, and how their call came."""

    who: str
    purpose: str
    way: Way


class OnRecord:
    """Writes down a reading, durable on return; whoever cannot, must not show anything."""

    def __init__(self, record: Record, keys: Keys, clock: Clock) -> None:
        self._record = record
        self._keys = keys
        self._clock = clock

    async def search(
        self, action: str, reader: Reader, wanted: Wanted, given: int, *, step: str = ""
    ) -> None:
        """Record that `given` entries are about to be shown to who searched so.

        Whom it was searched for is sealed under that party's own key and found by it. A name that
        has no key is not written down at all: after an erasure it would make the name readable
        again, and make it a key.
        """
        known = await self._keys.find(set(wanted.parties.values()))
        fields = dict(_filters(wanted))
        sections = []
        for role, name in wanted.parties.items():
            if name in known:
                sections.append(Section(name, {"asked": role, "purpose": reader.purpose}))
            else:
                fields[role] = "unknown here"
        if step:
            fields["step"] = step
        await self._write(action, reader, given, fields=fields, sections=sections)

    async def one(self, action: str, reader: Reader, index: int) -> None:
        """Record that one entry is about to be shown."""
        await self._write(action, reader, 1, resource=f"entries/{index}")

    async def decisions(self, action: str, reader: Reader, given: int, name: str = "") -> None:
        """Record that erasures or holds are about to be shown, or the one of that name."""
        await self._write(action, reader, given, resource=name)

    async def own(self, action: str, reader: Reader, account: str, given: int) -> None:
        """Record that somebody reads what concerns themselves; `account` is empty for an app."""
        await self._write(action, reader, given, account=account)

    async def _write(
        self,
        action: str,
        reader: Reader,
        given: int,
        *,
        account: str = "",
        resource: str = "",
        fields: Mapping[str, str] | None = None,
        sections: Iterable[Section] = (),
    ) -> None:
        await self._record(
            Event(
                action,
                "ok",
                self._clock.now(),
                account=account,
                actor=reader.who,
                resource=resource,
                fields={"purpose": reader.purpose, "entries": str(given), **(fields or {})},
                app=reader.way.app,
                trace=reader.way.trace,
                sections=tuple(sections),
            )
        )


def _filters(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Name the filters that are about nobody."""
    for name, value in wanted.impersonal.items():
        yield name, value.isoformat() if isinstance(value, datetime) else value
