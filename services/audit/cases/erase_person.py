"""Erases a person: one officer asks, another confirms, and the person's keys are destroyed.

The row of keys goes and the event that tells of it comes in one transaction: neither is there
alone. The event names nobody. It bears the pseudonym that means nothing any more, sealed with the
organisation's keys, so that a restored backup can be told whose keys to delete again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from runtime.fault import Fault
from runtime.ids import ordered_id
from services.audit.domain.entry import Facet
from services.audit.domain.erasure import (
    BACKUPS_KEPT,
    Destroyed,
    Erasure,
    ErasureState,
    Ground,
    Hold,
    Step,
    Wrapped,
    already_asked,
    held,
    require_erasable,
    unknown_party,
)
from services.audit.domain.erasure_ports import KeyRecords, KeyStore, Once
from services.audit.domain.faults import log_unavailable
from services.audit.domain.ports import Filter, LogStore

_STAFF_ACCEPT = (1031).to_bytes(2)  # account:staff:accept
_LOOK_S, _LOOKS = 0.05, 40  # for the proof to be in the log; what is late is told later


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, and how their call came."""

    who: str
    way: Way


@dataclass(frozen=True, slots=True)
class Act(Step):
    """A step, and how the call came that makes it."""

    way: Way


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the log held just before an erasure."""

    said: int  # own events up to this number may still wait in their rows
    entries: int  # about the person, or by them
    log_size: int


class _UnsaidError(Exception):
    """An own event about the person has not reached the log yet."""


class _HeldError(Exception):
    """A hold stands in the way of an erasure."""

    def __init__(self, hold: Hold, erasure: Erasure) -> None:
        super().__init__()
        self.hold = hold
        self.erasure = erasure


class ErasePerson:
    """Asks for erasures, confirms and cancels them."""

    def __init__(self, store: KeyStore, log: LogStore, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._running: set[asyncio.Task[str]] = set()

    async def ask(self, request: Once, account: str, ground: Ground, acting: Acting) -> str:
        """Ask to erase a person; return the erasure's name. Nothing is destroyed yet."""
        by = self._now(acting)
        before = await self._erasable(account)

        def change(records: KeyRecords) -> str:
            keys = _keys_of(records, account, before)
            erasure = _new(keys, ground, by)
            if waiting := records.waiting(keys.pseudonym):
                raise already_asked(waiting)
            _require_free(records, erasure)
            records.save_erasure(erasure)
            records.publish(_event("audit:person:ask", erasure, by))
            return erasure.name

        return await self._once(request, account, by, change)

    async def confirm(self, request: Once, name: str, acting: Acting) -> str:
        """Carry out what another officer asked for; return when it is durable, and in the log."""
        by = self._now(acting)
        asked = await self._store.read(lambda records: records.erasure(name))
        if asked.state is ErasureState.ASKED:
            await self._require_no_staff(asked.pseudonym)

        def change(records: KeyRecords, counted: _Counted) -> str:
            erasure = records.erasure(name)
            return _carry_out(records, erasure, erasure.confirm, by, counted)

        return await self._destroy(request, "", asked.pseudonym, by, change)

    async def at_once(self, request: Once, account: str, ground: Ground, acting: Acting) -> str:
        """Erase a person whom a service has deleted; return when it is durable, and in the log."""
        by = self._now(acting)
        before = await self._erasable(account)

        def change(records: KeyRecords, counted: _Counted) -> str:
            keys = _keys_of(records, account, before)
            erasure = records.waiting(keys.pseudonym) or _new(keys, ground, by)
            return _carry_out(records, erasure, erasure.at_once, by, counted)

        return await self._destroy(
            request, account, before.pseudonym if before else b"", by, change
        )

    async def cancel(self, request: Once, name: str, acting: Acting) -> str:
        """Call off an erasure that waits."""
        by = self._now(acting)

        def change(records: KeyRecords) -> str:
            erasure = records.erasure(name).cancel(by)
            records.save_erasure(erasure)
            records.publish(_event("audit:person:cancel", erasure, by))
            return name

        return await self._once(request, "", by, change)

    async def _once(
        self,
        request: Once,
        account: str,
        by: Act,
        change: Callable[[KeyRecords], str],
    ) -> str:
        """Run a change once; what a hold refuses is on record too, each time it is refused."""

        def unit(records: KeyRecords) -> str | Fault:
            try:
                name = records.once(request, by.time, lambda: change(records))
            except _HeldError as kept:
                reference = {"hold": kept.hold.name, "reference": kept.hold.reference}
                records.publish(
                    _event("audit:person:erase", kept.erasure, by, reference, "refused")
                )
                return held(kept.hold)
            if account:
                require_same(records, account, records.erasure(name).pseudonym)
            return name

        answer = await self._store.write(unit)
        if isinstance(answer, Fault):
            raise answer
        return answer

    async def _erasable(self, account: str) -> Wrapped | None:
        """Return a person's keys, if there are any; NOT_ERASABLE for who is no mere person."""
        require_erasable(account)
        keys = await self._store.read(lambda records: records.keys_of(account))
        if keys:
            await self._require_no_staff(keys.pseudonym)
        return keys

    async def _require_no_staff(self, pseudonym: bytes) -> None:
        """Refuse an account that the log knows as staff."""
        accepted = Filter(
            {Facet.PERSON: [pseudonym], Facet.EVENT: [_STAFF_ACCEPT]}, producer="account"
        )
        after: int | None = None
        while True:
            found = await self._log.select(accepted, after=after, newest_first=False, limit=1)
            if found.entries:
                require_erasable("", is_staff=True)
            if (after := found.more) is None:
                return

    def _now(self, acting: Acting) -> Act:
        return Act(acting.who, self._clock.now(), acting.way)

    async def _count(self, pseudonym: bytes, *, gone: bool) -> _Counted:
        """Count; `gone` waits for own events to have left their rows, not to be in the log alone.

        They leave when they are published, for which witnesses may let us wait: not for ever.
        """
        said = 0 if gone else await self._log.last_sequence("audit")
        return _Counted(said, *await self._log.count((Facet.PERSON, Facet.ACTOR), pseudonym))

    async def _destroy(
        self,
        request: Once,
        account: str,
        pseudonym: bytes,
        by: Act,
        change: Callable[[KeyRecords, _Counted], str],
    ) -> str:
        """Destroy keys, once what audit itself says of the person has reached the log."""
        for look in range(2 * _LOOKS):
            counted = await self._count(pseudonym, gone=look < _LOOKS)
            try:
                name = await self._to_its_end(
                    self._once(
                        request,
                        account,
                        by,
                        lambda records, now=counted: change(records, now),  # type: ignore[misc]  # bound now
                    )
                )
            except _UnsaidError:
                await asyncio.sleep(_LOOK_S)
            else:
                await self._settle(name)
                return name
        raise log_unavailable()

    async def _to_its_end(self, destroying: Coroutine[None, None, str]) -> str:
        """Destroy, and leave nothing of it in the files, also when who asked goes away meanwhile.

        What a process that dies between the two leaves there, the next one removes at its start.
        """

        async def both() -> str:
            name = await destroying
            await self._store.scrub()
            return name

        task = asyncio.create_task(both())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[str]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone

    async def _settle(self, name: str) -> None:
        """Return when the log has the proof.

        What has no proof within two seconds has it soon after: the relay goes on.
        """
        erasure = await self._store.read(lambda records: records.erasure(name))
        assert erasure.destroyed is not None  # noqa: S101  that is what has just been done
        for _ in range(_LOOKS):
            if await self._log.by_event_id([erasure.destroyed.event_id]):
                return
            await asyncio.sleep(_LOOK_S)


def require_same(records: KeyRecords, account: str, pseudonym: bytes) -> None:
    """Refuse a request that was answered before, for another person.

    What is kept of a request names nobody: whether it is the same person is seen in the keys, for
    as long as anything can tell.
    """
    if records.keys_of(account) != records.keys_behind(pseudonym):
        raise Fault("REQUEST_ID_REUSED", "this request_id was used for another content")


def _new(keys: Wrapped, ground: Ground, by: Step) -> Erasure:
    return Erasure(f"erasures/{ordered_id(by.time)}", keys.pseudonym, ground, by)


def _keys_of(records: KeyRecords, account: str, before: Wrapped | None) -> Wrapped:
    """Return the keys that were looked at before; NOT_FOUND when there are none, or others."""
    keys = records.keys_of(account)
    if keys is None or before is None or keys.pseudonym != before.pseudonym:
        raise unknown_party()
    return keys


def _require_free(records: KeyRecords, erasure: Erasure) -> None:
    if hold := records.standing(erasure.pseudonym):
        raise _HeldError(hold, erasure)


def _carry_out(
    records: KeyRecords,
    erasure: Erasure,
    step: Callable[[Step, Destroyed], Erasure],
    by: Act,
    counted: _Counted,
) -> str:
    """Destroy the keys, and let the log know."""
    erasure.require_waiting()
    _require_free(records, erasure)
    keys, whose = records.keys_behind(erasure.pseudonym), records.whose([erasure.pseudonym])
    if keys is None:
        raise unknown_party()
    # That somebody read about them, for example: sealed after this, it would name them anew.
    if records.unsaid(whose[keys.pseudonym], counted.said):
        raise _UnsaidError
    proof = {
        "asked_by": erasure.asked.who,
        "asked": erasure.asked.time.isoformat(),
        "entries": str(counted.entries),
        "log_size": str(counted.log_size),
        "fingerprint": keys.fingerprint.hex(),
        "kek": keys.month,
        "backups_end": (by.time + BACKUPS_KEPT).isoformat(),
    }
    event = _event("audit:person:erase", erasure, by, proof)
    records.save_erasure(
        step(by, Destroyed(keys, event.event_id, counted.entries, counted.log_size))
    )
    records.destroy([keys.pseudonym])
    records.publish(event)
    return erasure.name


def _event(
    action: str,
    erasure: Erasure,
    by: Act,
    more: Mapping[str, str] | None = None,
    outcome: str = "ok",
) -> Event:
    return Event(
        action,
        outcome,
        by.time,
        actor=by.who,
        resource=erasure.name,
        fields={
            "pseudonym": erasure.pseudonym.hex(),
            "ground": erasure.ground.value,
            **(more or {}),
        },
        app=by.way.app,
        trace=by.way.trace,
    )
