"""Those who wait to append: a bounded queue, and from it groups that are worth a commit."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.fault import Fault
from services.audit.cases.group import Receipt
from services.audit.domain.checkpoint import Checkpoint
from services.audit.domain.entry import Batch
from services.audit.domain.faults import queue_full

_MAX_WAITING = 8192  # entries in the queue before callers are refused
_MAX_WEIGHT = 16 << 20  # bytes that they have as they came; as many again are held by their calls
_HEAVY = 2 << 10  # bytes that take as long as one entry more
_MAX_GROUP = 1024  # entries, or as much, in one transaction: bounds how long the others wait
# A commit costs about the same for one entry as for fifty. So fewer than these wait while a group
# is being stored, and then a moment more for those who were just answered: they come again.
_WORTH_IT = 256
_GATHER_S = 0.01


@dataclass(frozen=True, slots=True)
class Appended:
    """Receipts in the order asked for, and a checkpoint that covers them."""

    receipts: Sequence[Receipt]
    checkpoint: Checkpoint


@dataclass(slots=True)
class Request:
    """What one caller waits for."""

    batch: Batch
    done: "asyncio.Future[Appended]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def size(self) -> int:
        """Return for how many entries it counts: batches of decisions are few and heavy."""
        return max(self.batch.count, len(self.batch.wire) // _HEAVY)

    def settle(self, outcome: Appended | Fault) -> None:
        """Answer the caller, unless it has gone."""
        if self.done.done():
            return
        if isinstance(outcome, Fault):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


class Waiting:
    """The queue. Nobody in it is dropped: whoever was let in is settled by the writer."""

    def __init__(self) -> None:
        self._queue: deque[Request] = deque()
        self._entries = 0
        self._weight = 0
        self._size = 0
        self._before = 0  # size of the group before, if it held several requests
        self._enough_at = _WORTH_IT  # what is worth a commit now …
        self._enough = asyncio.Event()  # … set when they wait

    def __bool__(self) -> bool:
        """Tell whether somebody waits."""
        return bool(self._queue)

    def add(self, batch: Batch) -> Request:
        """Let a request in; OVERLOADED beyond the bounds."""
        # Alone in the queue it is taken whatever its weight: refused, it would come for ever.
        heavy = self._entries and self._weight + len(batch.wire) > _MAX_WEIGHT
        if heavy or self._entries + batch.count > _MAX_WAITING:
            raise queue_full()
        request = Request(batch)
        self._queue.append(request)
        self._entries += batch.count
        self._weight += len(batch.wire)
        self._size += request.size
        if self._size >= self._enough_at:
            self._enough.set()
        return request

    async def gathered(self, storing: "asyncio.Task[None]") -> None:
        """Return when a group should be taken: soon, when many come; at once, when few do."""
        if not self._before or self._size >= _WORTH_IT:
            return
        self._enough_at = _WORTH_IT
        self._enough.clear()
        enough = asyncio.ensure_future(self._enough.wait())
        try:
            await asyncio.wait({enough, storing}, return_when=asyncio.FIRST_COMPLETED)
            self._enough_at = min(_WORTH_IT, self._size + self._before)
            await asyncio.wait({enough}, timeout=_GATHER_S)
        finally:
            enough.cancel()

    def take(self) -> list[Request]:
        """Take the next group out; none when nobody waits."""
        group: list[Request] = []
        size = 0
        while self._queue and (not group or size + self._queue[0].size <= _MAX_GROUP):
            request = self._queue.popleft()
            self._entries -= request.batch.count
            self._weight -= len(request.batch.wire)
            self._size -= request.size
            if not request.done.done():  # a caller that has gone will repeat its request
                group.append(request)
                size += request.size
        self._before = size if len(group) > 1 else 0
        # Of requests that a producer sent at once, a later one may have arrived before an earlier.
        group.sort(key=lambda request: request.batch.first)
        return group

    def settle(self, fault: Fault) -> None:
        """Tell all who wait that nothing will come."""
        while self._queue:
            self._queue.popleft().settle(fault)
