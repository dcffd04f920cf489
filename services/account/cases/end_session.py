"""End a session."""

from dataclasses import dataclass

from runtime.call import Way
from runtime.clock import Clock
from runtime.event import Event
from services.account.domain.ports import Store, Transaction
from services.account.domain.secret import digest


@dataclass(frozen=True, slots=True)
class EndSession:
    """Signs out; whoever is signed out already stays so."""

    store: Store
    clock: Clock

    async def __call__(self, secret: str, way: Way) -> None:
        """End the session of this secret."""
        now, key = self.clock.now(), digest(secret)

        def end(tx: Transaction) -> None:
            session = tx.sessions.get(key)
            if session is None:
                return
            tx.sessions.remove(key)
            tx.publish(
                Event(
                    "account:session:end",
                    "ok",
                    now,
                    account=session.account,
                    actor=session.account,
                    app=way.app,
                    trace=way.trace,
                )
            )

        await self.store.write(end)
