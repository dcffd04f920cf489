"""Watch: every change is told from any token on, in order, and each end has its reason."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import (
    consent_service_pb2,
    preference_pb2,
    preference_service_pb2,
    subject_pb2,
    watch_service_pb2,
)
from accord.sharing.v1.watch_service_pb2 import (
    CHANGE_KIND_PERSON,
    CHANGE_KIND_RECIPIENT,
    WatchRequest,
    WatchResponse,
)
from accord.sharing.v1.watch_service_pb2_grpc import WatchServiceStub
from sqlalchemy import create_engine

from runtime.errors import from_error
from services.sharing.api import watch
from services.sharing.store import feed, tables
from tests.contract.sharing.conftest import Sharing, request_id
from tests.contract.sharing.test_permits import MARKETING, advertising, asked, delivering, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.sharing.store.changes import Reading

Stream = Any  # grpc.aio's call of a server stream


@asynccontextmanager
async def watching(
    sharing: Sharing, token: str = "", seconds: float = 20, app: str = "mi-store"
) -> AsyncIterator[Stream]:
    async with sharing.bench.client(sharing.server, "sharing", f"app/{app}") as channel:
        call = WatchServiceStub(channel).Watch(WatchRequest(token=token), timeout=seconds)
        yield call
        call.cancel()


async def until(stream: Stream, key: str) -> WatchResponse:
    """The first message that tells of a key."""
    while True:
        message: WatchResponse = await stream.read()
        if key in [revocation.key for revocation in message.revocations]:
            return message


async def reason(stream: Stream) -> str:
    """Why the stream ends."""
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await _read_all(stream)
    return from_error(ended.value, "sharing").reason


async def _read_all(stream: Stream) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def key_of(sharing: Sharing, **question: Any) -> str:
    """The key by which Watch names the person."""
    key: str = (await read(sharing, (await asked(sharing, **question)).permit))["watch"][1]
    return key


async def test_the_first_message_tells_where_the_stream_begins(sharing: Sharing) -> None:
    await delivering(sharing)
    decision = (await asked(sharing)).decision
    async with watching(sharing) as stream:
        first = await stream.read()
    assert list(first.revocations) == []
    assert first.token >= decision.token
    assert first.rulebook_digest == decision.rulebook_digest
    assert first.HasField("confirmed")


async def test_without_changes_heartbeats_tell_silence_from_rest(sharing: Sharing) -> None:
    async with watching(sharing) as stream:
        heard = [await stream.read() for _ in range(4)]
    assert all(not message.revocations for message in heard)
    confirmed = [message.confirmed.ToMicroseconds() for message in heard]
    assert confirmed == sorted(confirmed)
    assert confirmed[-1] > confirmed[0]


async def test_a_withdrawal_is_told_by_a_key_that_shows_nobody(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    key = await key_of(sharing, **MARKETING)
    async with watching(sharing) as stream:
        await stream.read()
        request = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=consent)
        answer = await sharing.by_person("consents", "WithdrawConsent", request)
        message = await until(stream, key)
    (revocation,) = message.revocations
    assert revocation.kind == CHANGE_KIND_PERSON
    assert message.token >= answer.token
    assert sharing.person[-26:] not in str(message)


async def test_every_kind_of_change_is_told(sharing: Sharing) -> None:
    await advertising(sharing)
    key = await key_of(sharing, **MARKETING)
    async with watching(sharing) as stream:
        await stream.read()
        await sharing.know_person(version=2, status=subject_pb2.SUBJECT_STATUS_FROZEN)
        await until(stream, key)
        request = preference_service_pb2.OptOutRequest(
            request_id=request_id(), choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
        )
        await sharing.by_person("preferences", "OptOut", request)
        await until(stream, key)
        await sharing.in_force("recipients/ads", purposes=["direct_marketing"])
        told = await until(stream, "recipients/ads")
        assert {revocation.kind for revocation in told.revocations} == {CHANGE_KIND_RECIPIENT}


async def test_resumption_from_a_token_leaves_nothing_out(sharing: Sharing) -> None:
    await delivering(sharing)
    key = await key_of(sharing)
    async with watching(sharing) as stream:
        token = (await stream.read()).token
    for version in range(2, 6):  # nobody is watching
        await sharing.know_person(version=version)
        await sharing.register(f"r-{version}")
    async with watching(sharing, token) as stream:
        first = await stream.read()
    told = [revocation.key for revocation in first.revocations]
    assert [told.count(name) for name in (key, "recipients/r-2", "recipients/r-5")] == [4, 1, 1]
    assert told.index("recipients/r-2") < told.index("recipients/r-5")
    assert first.token > token
    async with watching(sharing, first.token) as stream:
        assert list((await stream.read()).revocations) == []


async def test_what_takes_several_messages_moves_on_with_the_last(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MOST_TOLD", 2)
    async with watching(sharing) as stream:
        token = (await stream.read()).token
    for number in range(5):
        await sharing.register(f"r-{number}")
    async with watching(sharing, token) as stream:
        parts = [await stream.read() for _ in range(3)]
    assert [len(part.revocations) for part in parts] == [2, 2, 1]
    assert [part.token == token for part in parts] == [True, True, False]


async def test_a_token_that_is_not_ours_or_ahead_of_us_is_refused(sharing: Sharing) -> None:
    for token in ("x", "in-" + "0" * 32, "nl-" + "f" * 32, "nl-" + "0" * 15 + "9" + "0" * 16):
        async with watching(sharing, token) as stream:
            assert await reason(stream) == "FRESHNESS_TOKEN_INVALID"


async def test_a_token_whose_changes_are_no_longer_kept_is_too_old(sharing: Sharing) -> None:
    async with watching(sharing) as stream:
        token = (await stream.read()).token
    await sharing.register("one")
    await sharing.register("two")
    engine = create_engine(sharing.url)
    with engine.begin() as connection:  # as the hourly purge leaves it a day later
        connection.execute(tables.changes.update().values(kind="floor", key=""))
    engine.dispose()
    async with watching(sharing, token) as stream:
        assert await reason(stream) == "POSITION_EXPIRED"


async def test_a_server_that_goes_down_says_so(sharing: Sharing) -> None:
    async with watching(sharing) as stream:
        await stream.read()
        await sharing.server.drain()
        assert await reason(stream) == "DRAINING"


async def test_the_stream_ends_well_before_its_deadline(sharing: Sharing) -> None:
    async with watching(sharing, seconds=1.0) as stream:
        began = time.monotonic()
        heard = [message async for message in stream]
        assert time.monotonic() - began < 1.0
        assert await stream.code() is grpc.StatusCode.OK
    assert len(heard) >= 2


async def test_more_streams_than_a_process_bears_are_refused(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MOST_STREAMS", 1)
    async with watching(sharing) as first:
        await first.read()
        async with watching(sharing) as second:
            assert await reason(second) == "OVERLOADED"
    async with watching(sharing) as third:  # the first has given its place back
        while True:
            try:
                await third.read()
                break
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0)


async def test_one_app_leaves_streams_to_the_others(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MOST_OF_ONE", 1)
    async with watching(sharing) as first:
        await first.read()
        async with watching(sharing) as second:
            assert await reason(second) == "OVERLOADED"
        async with watching(sharing, app="mi-com") as other:
            assert (await other.read()).token


async def test_who_does_not_take_the_news_is_told_so(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_MOST_NEWS", 1)
    tell = feed.Feed._apply

    def tell_twice(self: feed.Feed, reading: Reading) -> None:
        tell(self, reading)
        tell(self, reading)  # before anyone had a turn to take the first

    async with watching(sharing) as stream:
        await stream.read()
        monkeypatch.setattr(feed.Feed, "_apply", tell_twice)
        assert await reason(stream) == "READER_TOO_SLOW"


async def test_only_apps_watch(sharing: Sharing) -> None:
    for who in ("svc/portal", "svc/account", "staff/auditor/aisha"):
        async with sharing.bench.client(sharing.server, "sharing", who) as channel:
            call = WatchServiceStub(channel).Watch(watch_service_pb2.WatchRequest(), timeout=5)
            assert await reason(call) == "CALLER_NOT_ALLOWED"
