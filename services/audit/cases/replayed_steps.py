"""Where the log saw each erasure and each hold, told from audit's own entries in their order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from runtime.event import Event
from services.audit.domain.entry import StoredEntry
from services.audit.domain.erasure import (
    Destroyed,
    Erasure,
    ErasureState,
    Ground,
    Hold,
    HoldKind,
    HoldState,
    Step,
    Wrapped,
)
from services.audit.domain.erasure_ports import KeyRecords
from services.audit.domain.ports import PartyKeys
from services.audit.domain.sealing import open_entry

_HOLD_STEPS = list(HoldState)
# Who asks must not be who agrees: without a name anybody would be another.
_FIRST_OF_TWO = ("audit:person:ask", "audit:hold:ask")


@dataclass(slots=True)
class Steps:
    """Erasures and holds as far as the log tells of them."""

    erasures: dict[str, Erasure] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    unread: list[int] = field(default_factory=list)  # indexes of steps whose keys are gone

    def add(self, origin: str, entry: StoredEntry, keys: Mapping[bytes, PartyKeys]) -> None:
        """Take a step further, unless nothing says whom it is about or who the first of two was."""
        event = open_entry(origin, entry, keys).event
        if not event.resource or (event.action in _FIRST_OF_TWO and not event.actor):
            self.unread.append(entry.index)
        elif event.action.startswith("audit:hold:"):
            self.holds[event.resource] = _held(self.holds.get(event.resource), event)
        else:
            self.erasures[event.resource] = _erased(self.erasures.get(event.resource), event)

    def repeat(self, records: KeyRecords) -> None:
        """Write what is further than what is there; what is there and further stays."""
        for erasure in self.erasures.values():
            there = records.known_erasure(erasure.name)
            if there is None or there.state is ErasureState.ASKED is not erasure.state:
                records.save_erasure(erasure)
        for hold in self.holds.values():
            stands = records.known_hold(hold.name)
            if stands is None or _rank(stands) < _rank(hold):
                records.save_hold(hold)


def _held(before: Hold | None, event: Event) -> Hold:
    said, by = event.fields, Step(event.actor, event.time)
    pseudonym, kind = bytes.fromhex(said["pseudonym"]), HoldKind(said["kind"])
    hold = before or Hold(event.resource, pseudonym, kind, said["reference"], by)
    match event.action:
        case "audit:hold:ask":
            return replace(hold, lift_asked=by)
        case "audit:hold:lift":
            return replace(hold, lift_asked=hold.lift_asked or by, lifted=by)
    return hold


def _erased(before: Erasure | None, event: Event) -> Erasure:
    said, by = event.fields, Step(event.actor, event.time)
    pseudonym, ground = bytes.fromhex(said["pseudonym"]), Ground(said["ground"])
    erasure = before or Erasure(event.resource, pseudonym, ground, by)
    match event.action:
        case "audit:person:cancel":
            return replace(erasure, cancelled=by)
        case "audit:person:erase":
            asked = Step(said["asked_by"], datetime.fromisoformat(said["asked"]))
            keys = Wrapped(pseudonym, said["kek"], bytes.fromhex(said["fingerprint"]))
            entries, size = int(said["entries"]), int(said["log_size"])
            done = Destroyed(keys, event.event_id, entries, size)
            return replace(erasure, asked=asked, erased=by, destroyed=done)
    return erasure


def _rank(hold: Hold) -> int:
    return _HOLD_STEPS.index(hold.state)
