"""Asks before sharing, and answers from memory while a permit holds.

.. code-block:: python

    async with Accord.connect(profile) as accord:
        verdict = await accord.check(question)
        if verdict.permitted:
            ...  # share, mind verdict.obligations
            await accord.disclosed(verdict, ["contact.name"])

A permit is verified with sharing's public keys and kept until it expires. It is honoured only while
Watch was heard: silence longer than ``silence`` seconds makes every question go to sharing again,
and when sharing is away, ``check`` raises: who is not told yes does not share.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import grpc
from accord.sharing.v1 import (
    decision_service_pb2,
    disclosure_service_pb2,
    key_service_pb2,
    watch_service_pb2,
)
from accord.sharing.v1.decision_pb2 import OUTCOME_PERMIT, Decision, Obligation, Question
from accord.sharing.v1.decision_service_pb2 import CheckRequest, CheckResponse
from accord.sharing.v1.decision_service_pb2_grpc import DecisionServiceStub
from accord.sharing.v1.disclosure_pb2 import Disclosure
from accord.sharing.v1.disclosure_service_pb2 import RecordDisclosureRequest
from accord.sharing.v1.disclosure_service_pb2_grpc import DisclosureServiceStub
from accord.sharing.v1.key_service_pb2_grpc import KeyServiceStub
from accord.sharing.v1.reason_pb2 import Reason
from accord.sharing.v1.watch_service_pb2_grpc import WatchServiceStub

from accord_client import cache
from accord_client.cache import SILENCE_S, Ask, Counters, PermitCache, Verdict
from accord_client.channel import RenewedChannel, answer
from accord_client.failure import VerificationError
from accord_client.fault import Fault
from accord_client.jws import Keys
from accord_client.permit import Permit, key_id, verify
from accord_client.profile import Profile

T = TypeVar("T")

_SECONDS = 2.0  # of one question
_ATTEMPTS = 3  # questions for one answer, when revocations overtake it each time
_STREAM_S = 30.0  # a stream of Watch ends by itself before, and another follows
_UNHEARD_S = 2.0  # a stream that says nothing for so long is given up
_PAUSE_S = (0.05, 0.5)  # before another stream, drawn between, so that not all come at once
_KEYS_S = 3600.0  # how long keys are used before they are read again
_REFETCH_S = 5.0  # a made-up key id makes us ask no more often
_RECORD_S = 60.0  # how long a disclosure is tried to be recorded
_SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (decision_service_pb2, "DecisionService"),
        (disclosure_service_pb2, "DisclosureService"),
        (key_service_pb2, "KeyService"),
        (watch_service_pb2, "WatchService"),
    )
)


class Accord:
    """Asks sharing for an app, on the event loop. ``accord_client.blocking`` is for threads."""

    def __init__(self, channel: RenewedChannel, region: str, *, silence: float) -> None:
        self._channel = channel
        self._region = region
        self._cache = PermitCache(silence)
        self._keys = Keys()
        self._fetched = float("-inf")
        self._recording: set[asyncio.Task[None]] = set()
        self._word = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, profile: Profile, *, silence: float = SILENCE_S
    ) -> AsyncIterator[Accord]:
        """A client that watches while it is open.

        ``silence`` is for how many seconds after the last sign of Watch a permit is honoured: more
        than 0, at most 1. Disclosures on their way are recorded before it closes.
        """
        async with RenewedChannel(profile, "sharing", _SERVICES) as channel:
            accord = cls(channel, profile.region, silence=silence)
            watching = asyncio.create_task(accord._watch(), name="accord-watch")
            try:
                yield accord
            finally:
                watching.cancel()
                await asyncio.gather(watching, *accord._recording, return_exceptions=True)

    @property
    def counters(self) -> Counters:
        """What this client has done so far."""
        return self._cache.counters

    async def heard(self) -> None:
        """Returns with the next word of Watch, such as the first: from then on permits are kept."""
        await self._word.wait()

    def recall(self, ask: Ask) -> Verdict | None:
        """The answer from memory, if a permit holds; may be called from any thread."""
        return self._cache.lookup(ask)

    async def check(self, question: Question | Ask) -> Verdict:
        """May it be shared? From memory if a permit holds, else from sharing.

        Raises Fault when sharing refuses the question or does not answer, and VerificationError
        for a permit that is not sharing's: in either case do not share.
        """
        ask = question if isinstance(question, Ask) else Ask(question)
        verdict = self._cache.lookup(ask)
        return verdict if verdict is not None else await self._ask(ask)

    async def disclosed(
        self,
        verdict: Verdict,
        categories: Sequence[str],
        *,
        records: int = 0,
        at: datetime | None = None,
    ) -> Disclosure:
        """Records that data of these categories was sent under a permit, now or ``at``."""
        return await self._record(_disclosure(verdict, categories, records, at))

    def disclosed_soon(
        self, verdict: Verdict, categories: Sequence[str], *, records: int = 0
    ) -> None:
        """The same without waiting: tried for a minute, then counted as ``unrecorded``."""
        request = _disclosure(verdict, categories, records, datetime.now(UTC))
        task = asyncio.create_task(self._record_at_last(request))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def honours(self, permit: str, sending: Question, *, shown_by: str) -> Permit | None:
        """Whether the holder of data may send it on a permit that an app shows it.

        Verified here, with sharing's public keys alone. What it says is returned only if sharing of
        this region signed it for the app ``shown_by`` (its SPIFFE id, as the certificate of its
        call says: a permit is of use to nobody else), it has not expired, it covers all of
        ``sending`` (holder, recipient, purpose, categories; service and destination if given), and
        Watch, heard within ``silence``, has revoked nothing that it rests on since it was decided.
        Else None: do not send. So it is None as well for a permit from before this client watched.
        Mind the obligations that it names. Raises Fault when keys are needed and not to be had.
        """
        try:
            keys = await self._keys_for(permit)
            said = verify(
                permit,
                keys,
                region=self._region,
                audience=shown_by,
                now=datetime.now(UTC).timestamp(),
            )
        except VerificationError:
            return None
        return said if said.covers(sending) and self._cache.stands(said) else None

    # --- questions -----------------------------------------------------------------------------

    async def _ask(self, ask: Ask) -> Verdict:
        request = CheckRequest(question=ask.question, permit=True)
        for _ in range(_ATTEMPTS):
            with self._cache.asking() as ticket:
                if self._cache.token:
                    request.freshness.at_least_as_fresh = self._cache.token
                response = await self._call(
                    lambda channel: DecisionServiceStub(channel).Check(request, timeout=_SECONDS)
                )
                self._cache.saw(response.decision.token)
                verdict = _verdict(response)
                if not verdict.permitted:
                    self._cache.refused(ask)
                    return verdict
                if not response.permit:  # what it rests on ends within this very second
                    return verdict
                permit = await self._verified(response)
                if self._cache.permitted(ask, ticket, permit, verdict):
                    return verdict
        raise Fault(grpc.StatusCode.UNAVAILABLE, "", "revocations overtook each answer")

    async def _verified(self, response: CheckResponse) -> Permit:
        """The permit that came with an answer, which it must agree with."""
        text, decision = response.permit, response.decision
        keys = await self._keys_for(text)
        audience = f"spiffe://{self._region}.accord.internal/app/{decision.asker}"
        issued = decision.decide_time.seconds
        permit = verify(text, keys, region=self._region, audience=audience, now=issued)
        if (permit.decision, permit.rulebook) != (decision.name, decision.rulebook_digest):
            raise VerificationError("format", "the permit is another decision's")
        return permit

    async def _keys_for(self, text: str) -> Keys:
        """The keys of sharing, read anew for one that is unknown here."""
        moment = time.monotonic()
        unknown = key_id(text) not in self._keys and moment - self._fetched > _REFETCH_S
        if unknown or moment - self._fetched > _KEYS_S:
            shown = await self._call(
                lambda channel: KeyServiceStub(channel).GetKeys(
                    key_service_pb2.GetKeysRequest(), timeout=_SECONDS
                )
            )
            self._keys, self._fetched = Keys(shown.jwks), moment
        return self._keys

    # --- Watch ---------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                await self._follow()
            except Fault as fault:
                if fault.reason == "POSITION_EXPIRED":
                    self._cache.begin_anew()
                elif fault.reason == "FRESHNESS_TOKEN_INVALID":
                    self._cache.begin_anew(tokens=True)
                await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311  no secret

    async def _follow(self) -> None:
        """Follows one stream to its end."""
        self._cache.counters.streams += 1
        opened = cache.now()
        request = watch_service_pb2.WatchRequest(token=self._cache.position)
        stream = WatchServiceStub(self._channel.current()).Watch(request, timeout=_STREAM_S)
        messages = aiter(stream)
        try:
            while True:
                async with asyncio.timeout(_UNHEARD_S):
                    message = await answer(anext(messages))
                self._cache.heard(message, opened)
                word, self._word = self._word, asyncio.Event()
                word.set()
        except (StopAsyncIteration, TimeoutError):
            return
        finally:
            stream.cancel()

    # --- disclosures ---------------------------------------------------------------------------

    async def _record(self, request: RecordDisclosureRequest) -> Disclosure:
        response = await self._call(
            lambda channel: DisclosureServiceStub(channel).RecordDisclosure(
                request, timeout=_SECONDS
            )
        )
        self._cache.saw(response.token)
        return response.disclosure

    async def _record_at_last(self, request: RecordDisclosureRequest) -> None:
        """Repeats it under the same request id until it is recorded, or refused, or too late."""
        pause = _PAUSE_S[0]
        until = time.monotonic() + _RECORD_S
        while True:
            try:
                await self._record(request)
            except Fault as fault:
                away = fault.reason in {"", "UNAVAILABLE", "OVERLOADED", "DEADLINE_TOO_SHORT"}
                if not away or time.monotonic() > until:
                    self._cache.counters.unrecorded += 1
                    return
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
            else:
                return

    async def _call(self, call: Callable[[grpc.aio.Channel], Awaitable[T]]) -> T:
        return await answer(call(self._channel.current()))


def _disclosure(
    verdict: Verdict, categories: Sequence[str], records: int, at: datetime | None
) -> RecordDisclosureRequest:
    request = RecordDisclosureRequest(
        request_id=str(uuid.uuid4()),
        decision=verdict.decision,
        categories=categories,
        record_count=records,
    )
    if at is not None:
        request.disclose_time.FromDatetime(at)
    return request


def _verdict(response: CheckResponse) -> Verdict:
    decision: Decision = response.decision
    return Verdict(
        permitted=decision.outcome == OUTCOME_PERMIT,
        decision=decision.name,
        categories=tuple(decision.permitted_categories),
        obligations=tuple(
            Obligation.Name(duty).removeprefix("OBLIGATION_").lower()
            for duty in decision.obligations
        ),
        reasons=tuple(
            Reason.Name(found.reason).removeprefix("REASON_") for found in decision.reasons
        ),
        permit=response.permit,
    )
