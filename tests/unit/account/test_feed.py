"""Sharing hears of an account before the person is answered, or as soon as it can."""

import asyncio
import time

from accord.account.v1 import session_service_pb2 as pb

from tests.unit.account.harness import Region, registration_form


async def test_sharing_away_is_told_later_and_the_reply_says_so(region: Region) -> None:
    region.subjects.there.clear()
    outcome = await region.sign_in("anna")
    began = time.monotonic()
    registered = await region.sessions.Register(registration_form(outcome.registration.secret))
    assert time.monotonic() - began < 10  # a second for sharing; a busy machine takes its own
    assert registered.propagation == pb.RegisterResponse.PROPAGATION_PROPAGATING
    assert not region.subjects.told
    anna = await region.signed(registered.session.secret)  # the person is in all the same
    region.subjects.there.set()
    async with asyncio.timeout(20):
        await region.subjects.heard.wait()
    assert region.subjects.told[0].account == anna.account
