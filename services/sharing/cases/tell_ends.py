"""Tells who received data of consents that ran out, and goes on with ends that concern much.

Nothing hangs on when that is done: decisions read the records and their dates themselves. How far
it was told is noted in the unit that writes the notices, so that whoever dies or comes late tells
the same, once.
"""

import asyncio

from runtime import logs
from runtime.call import Way
from runtime.fault import Fault
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records
from services.sharing.domain.revocation import MOST_DECISIONS

log = logs.get(__name__)

_AT_ONCE = 20  # in a unit, and of what was sent MOST_DECISIONS: other writers come between
_LOOK_S = 1.0


async def tell_ends(means: Means) -> int:
    """Go on with what ended, at most one batch; return how many ends were looked at."""
    now = means.clock.now()
    acting = Acting(f"spiffe://{means.region}.accord.internal/svc/sharing", Way("svc/sharing"))

    def unit(records: Records) -> int:
        revoking, looked_at, done = Revoking(means, records, now, acting), 0, 0
        for ending in records.endings.take(now, _AT_ONCE):
            looked_at += revoking.go_on(ending)
            done += 1
            if looked_at >= MOST_DECISIONS:
                break
        return done

    if not await means.store.read(lambda records: records.endings.come(now)):
        return 0
    return await means.store.write(unit)


async def keep_telling(means: Means) -> None:
    """Look again and again; run it beside the server."""
    while True:
        seen = 0
        try:
            seen = await tell_ends(means)
        except Fault as fault:
            log.warning("notices of what ended wait", reason=fault.reason)
        except Exception:
            log.exception("bug")  # decisions do not wait for it to be mended
        if not seen:
            await asyncio.sleep(_LOOK_S)
