"""Places and lifts legal holds: what keeps a person's keys from being destroyed."""

from runtime.clock import Clock
from runtime.event import Event
from runtime.ids import ordered_id
from services.audit.cases.erase_person import Acting, require_same
from services.audit.domain.erasure import Hold, HoldKind, HoldState, Step, unknown_party
from services.audit.domain.erasure_ports import KeyRecords, KeyStore, Once


class KeepHolds:
    """Each step is on record, as the erasures are that it refuses."""

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def place(
        self, request: Once, account: str, kind: HoldKind, reference: str, acting: Acting
    ) -> str:
        """Keep a person from erasure; NOT_FOUND for who has no keys, as who is erased."""
        by = Step(acting.who, self._clock.now())

        def change(records: KeyRecords) -> str:
            keys = records.keys_of(account)
            if keys is None:
                raise unknown_party()
            name = f"holds/{ordered_id(by.time)}"
            hold = Hold(name, keys.pseudonym, kind, reference, by)
            records.save_hold(hold)
            records.publish(_event("audit:hold:place", hold, by, acting))
            return name

        def unit(records: KeyRecords) -> str:
            name = records.once(request, by.time, lambda: change(records))
            require_same(records, account, records.hold(name).pseudonym)
            return name

        return await self._store.write(unit)

    async def lift(self, request: Once, name: str, acting: Acting) -> str:
        """Ask to lift a hold, or lift it when another officer has asked."""
        by = Step(acting.who, self._clock.now())

        def change(records: KeyRecords) -> str:
            hold = records.hold(name).lift(by)
            lifted = hold.state is HoldState.LIFTED
            action = "audit:hold:lift" if lifted else "audit:hold:ask"
            records.save_hold(hold)
            records.publish(_event(action, hold, by, acting))
            return name

        return await self._store.write(
            lambda records: records.once(request, by.time, lambda: change(records))
        )


def _event(action: str, hold: Hold, by: Step, acting: Acting) -> Event:
    return Event(
        action,
        "ok",
        by.time,
        actor=by.who,
        resource=hold.name,
        fields={
            "pseudonym": hold.pseudonym.hex(),
            "kind": hold.kind.value,
            "reference": hold.reference,
        },
        app=acting.way.app,
        trace=acting.way.trace,
    )
