"""Tells who received data that rests on consents which ran out since somebody last looked.

Nothing hangs on when that is done: decisions read the dates themselves. What was seen to is noted
in the unit that writes the notices, so that whoever dies or comes late tells the same, once.
"""

import asyncio

from runtime import logs
from runtime.call import Way
from runtime.fault import Fault
from services.sharing.cases.means import Means
from services.sharing.cases.tell_recipients import Revoking
from services.sharing.domain.acting import Acting
from services.sharing.domain.ports import Records

log = logs.get(__name__)

_AT_ONCE = 100  # of what was sent, in a unit: writers of the person's own words come between
_LOOK_S = 1.0


async def tell_expired(means: Means) -> int:
    """See to what ran out, at most one batch; return how much that was."""
    now = means.clock.now()
    acting = Acting(f"spiffe://{means.region}.accord.internal/svc/sharing", Way("svc/sharing"))

    def unit(records: Records) -> int:
        ran_out = records.notices.expired(now, _AT_ONCE)
        Revoking(means, records, now, acting).expired(ran_out)
        return len(ran_out)

    if not await means.store.read(lambda records: records.notices.expiring(now)):
        return 0
    return await means.store.write(unit)


async def keep_telling(means: Means) -> None:
    """Look again and again; run it beside the server."""
    while True:
        seen = 0
        try:
            seen = await tell_expired(means)
        except Fault as fault:
            log.warning("notices of what expired wait", reason=fault.reason)
        except Exception:
            log.exception("bug")  # decisions do not wait for it to be mended
        if not seen:
            await asyncio.sleep(_LOOK_S)
