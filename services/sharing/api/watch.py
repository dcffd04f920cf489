"""Serves accord.sharing.v1.WatchService."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import timedelta

from accord.sharing.v1 import watch_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from runtime.call import Call
from runtime.fault import Fault
from services.sharing.cases.means import Means
from services.sharing.domain.freshness import ChangeKind, News

_REST_S = 0.15  # news come ten times a second: without changes every second one is told on
_LAST_S = 0.25  # kept of the call's time, so that the stream ends well
_MOST_STREAMS = 256  # of one process; each takes one of its calls in progress
_MOST_OF_ONE = 64  # of one app in one process, so that no app leaves none to the others
_MOST_TOLD = 1000  # revocations in one message
_RETRY_AFTER = timedelta(seconds=1)
_KINDS = {word: pb.ChangeKind.Value(f"CHANGE_KIND_{word.name}") for word in ChangeKind}


class WatchServicer:
    """Which permits may no longer be honoured."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._streams: Counter[str] = Counter()  # by app
        self._draining = False

    def drain(self) -> None:
        """End every stream with the news that come next."""
        self._draining = True

    async def watch(self, request: pb.WatchRequest, call: Call) -> AsyncGenerator[pb.WatchResponse]:
        """Stream revocations from a token on."""
        arrived = time.monotonic()
        app = call.caller.name
        if self._streams.total() >= _MOST_STREAMS or self._streams[app] >= _MOST_OF_ONE:
            raise Fault("OVERLOADED", "there are enough streams here", retry_after=_RETRY_AFTER)
        self._streams[app] += 1
        try:
            token = request.token or await self._means.feed.token()
            told = float("-inf")
            async with aclosing(self._means.feed.news(token)) as news:
                async for heard in news:
                    if self._draining:
                        raise Fault("DRAINING", "this server is going down")
                    if call.remaining < _LAST_S:
                        return
                    if heard.changes or time.monotonic() - told >= _REST_S:
                        for response in self._responses(heard, token, arrived):
                            yield response
                        token, told = heard.token, time.monotonic()
        finally:
            self._streams[app] -= 1

    def _responses(self, heard: News, before: str, arrived: float) -> Iterator[pb.WatchResponse]:
        """Say what was heard; where that takes several messages, the last one alone moves on."""
        revocations = [
            pb.Revocation(kind=_KINDS[change.kind], key=self._means.watch_keys.of(change))
            for change in heard.changes
        ]
        digest = self._means.rulebook.digest
        while len(revocations) > _MOST_TOLD:
            first, revocations = revocations[:_MOST_TOLD], revocations[_MOST_TOLD:]
            yield pb.WatchResponse(revocations=first, token=before, rulebook_digest=digest)
        confirmed = Duration()
        confirmed.FromMicroseconds(max(0, round((heard.confirmed - arrived) * 1e6)))
        yield pb.WatchResponse(
            revocations=revocations,
            token=heard.token,
            confirmed=confirmed,
            rulebook_digest=digest,
        )
