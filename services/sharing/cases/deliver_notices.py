"""Takes notices to recipients until they acknowledge: at least once, each under its own name.

A worker takes what is due under a lease and sends it outside of any transaction; whoever dies in
between lets the lease run out, and the next one sends the same notice again. What officers did
meanwhile prevails.
"""

import asyncio
from datetime import datetime, timedelta

from runtime import logs
from runtime.call import Way
from runtime.clock import Clock
from runtime.fault import Fault
from services.sharing.cases.tell_recipients import notice_event
from services.sharing.domain.acting import Acting
from services.sharing.domain.agreement_ports import Delivery, Post
from services.sharing.domain.ports import Records, Signer, Store
from services.sharing.domain.revocation import Notice, NoticeState

log = logs.get(__name__)

_AT_ONCE = 8
_EACH_AT_ONCE = 2  # to one recipient: a slow endpoint must not take every place
_LATE_AT_ONCE = 100
# Longer than an attempt may take, so that no two workers send a notice at once.
_LEASE = timedelta(seconds=60)
_LOOK_S = 0.5
_TYPE = "secevent+jwt"  # RFC 8417 §2.3
_EVENT = "urn:accord:sharing:event:revocation"


class Deliveries:
    """The worker of one process; run it beside the server."""

    def __init__(
        self, store: Store, signer: Signer, post: Post, *, clock: Clock, region: str
    ) -> None:
        self._store = store
        self._signer = signer
        self._post = post
        self._clock = clock
        self._acting = Acting(f"spiffe://{region}.accord.internal/svc/sharing", Way("svc/sharing"))

    async def run(self) -> None:
        """Deliver for ever; a slow endpoint keeps nobody waiting but itself."""
        async with asyncio.TaskGroup() as group:
            under_way: set[asyncio.Task[None]] = set()
            while True:
                for notice, url in await self._due(_AT_ONCE - len(under_way)):
                    under_way.add(group.create_task(self._send(notice, url)))
                if under_way:
                    when = asyncio.FIRST_COMPLETED
                    _, under_way = await asyncio.wait(under_way, timeout=_LOOK_S, return_when=when)
                else:
                    await asyncio.sleep(_LOOK_S)

    async def deliver(self) -> int:
        """Send what is due now, at most one batch; return how many notices that were."""
        due = await self._due(_AT_ONCE)
        await asyncio.gather(*(self._send(notice, url) for notice, url in due))
        return len(due)

    async def _due(self, most: int) -> list[tuple[Notice, str]]:
        """Note what turned late; have what is due, with where it goes."""
        now = self._clock.now()
        store = self._store
        try:
            if not await store.read(lambda records: records.notices.waiting(now)):
                return []
            return await store.write(lambda records: self._take(records, now, most))
        except Fault as fault:
            log.warning("notices wait", reason=fault.reason)
        except Exception:
            log.exception("bug")  # decisions do not wait for it to be mended
        return []

    def _take(self, records: Records, now: datetime, most: int) -> list[tuple[Notice, str]]:
        for late in records.notices.turned_late(now, _LATE_AT_ONCE):
            records.publish(notice_event("sharing:revocation:overdue", late, now, self._acting))
        due = records.notices.take(now, now + _LEASE, most, _EACH_AT_ONCE)
        return [(notice, records.recipients.endpoint(notice.recipient).url) for notice in due]

    async def _send(self, notice: Notice, url: str) -> None:
        try:
            delivery = await self._outcome(notice, url) if url else Delivery("no_endpoint")
            now = self._clock.now()
            await self._store.write(lambda records: self._mark(records, notice, delivery, now))
        except Fault as fault:  # the lease runs out, and it is sent again
            log.warning("a notice was not marked", reason=fault.reason)
        except Exception:
            log.exception("bug")  # one notice holds up none of the others

    async def _outcome(self, notice: Notice, url: str) -> Delivery:
        """Tell what came of an attempt; one that fails by a bug of ours counts, and ends some day.

        Whoever dies counts nothing, and neither does a store or a key that is away for a moment.
        """
        try:
            return await self._delivered(notice, url)
        except Fault:
            raise
        except Exception:
            log.exception("bug")
            return Delivery("bug")

    async def _delivered(self, notice: Notice, url: str) -> Delivery:
        claims = await self._store.read(lambda records: self._claims(records, notice))
        token = await self._signer.sign(claims, _TYPE)
        return await self._post.deliver(url, token, notice.name)

    def _claims(self, records: Records, notice: Notice) -> dict[str, object]:
        """Return what is signed: the same at each attempt, and nothing that names a person."""
        sent = []
        for name in notice.decisions:
            decision = records.decisions.get(name)
            reference = {"decision": name}
            if decision:
                reference |= {
                    "purpose": decision.question.purpose,
                    "relation": decision.question.relation,
                }
            sent.append(reference)
        return {
            "iss": self._acting.who,
            "aud": notice.recipient,
            "jti": notice.name,
            "iat": int(notice.created.timestamp()),
            "events": {
                _EVENT: {
                    "cause": notice.cause.value,
                    "deadline": notice.deadline.isoformat(),
                    **({"contract": notice.contract} if notice.contract else {"disclosed": sent}),
                }
            },
        }

    def _mark(self, records: Records, sent: Notice, delivery: Delivery, now: datetime) -> None:
        notice = records.notices.get(sent.name)
        if notice is None or notice.state is not NoticeState.PENDING:
            return
        if not delivery.problem:
            after, action = notice.heard(now), "sharing:revocation:acknowledge"
        else:
            after = notice.missed(now, delivery.problem, final=delivery.final)
            action = "sharing:revocation:fail"
        records.notices.save(after)
        if after.state is not NoticeState.PENDING:
            records.publish(notice_event(action, after, now, self._acting))
