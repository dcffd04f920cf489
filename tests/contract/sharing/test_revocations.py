"""A withdrawal arrives: who is told, signed and nameless, until they acknowledge."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import (
    consent_service_pb2,
    contract_service_pb2,
    key_service_pb2,
    preference_pb2,
    preference_service_pb2,
    recipient_service_pb2,
    revocation_pb2,
    subject_pb2,
)
from accord.sharing.v1 import revocation_service_pb2 as pb
from joserfc.jwk import KeySet

from runtime.errors import from_error
from tests.contract.sharing.conftest import Sharing, request_id
from tests.contract.sharing.receiver import answer, receiving
from tests.contract.sharing.test_disclosures import recorded
from tests.contract.sharing.test_instruments import LAW, activated
from tests.contract.sharing.test_permits import MARKETING, advertising, delivering
from tests.contract.sharing.test_records import actions

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = Path(__file__).parents[3] / "docs/notices.md"
PENDING = revocation_pb2.REVOCATION_STATE_PENDING
ACKNOWLEDGED = revocation_pb2.REVOCATION_STATE_ACKNOWLEDGED
FAILED = revocation_pb2.REVOCATION_STATE_FAILED
AUDITOR = "staff/auditor/aisha"


@pytest.fixture
def tools() -> dict[str, object]:
    """Let notices go to this machine; a person of India's law gives less time."""
    return {"revocation_to_loopback": True, "revocation_hours_by_country": {"IN": 24}}


async def set_endpoint(sharing: Sharing, recipient: str, url: str) -> Any:
    request = recipient_service_pb2.SetEndpointRequest(
        request_id=request_id(), recipient=recipient, url=url
    )
    return (await sharing.by_officer("recipients", "SetEndpoint", request)).endpoint


async def notices(sharing: Sharing, **wanted: Any) -> Sequence[revocation_pb2.RevocationNotice]:
    request = pb.ListNoticesRequest(**wanted)
    answer = await sharing.call("revocations", "ListNotices", request, as_=AUDITOR)
    found: Sequence[revocation_pb2.RevocationNotice] = answer.notices
    return found


async def standing(sharing: Sharing, state: int) -> revocation_pb2.RevocationNotice:
    """Return the one notice, once the worker has brought it to a state."""
    async with asyncio.timeout(20):
        while True:
            found = await notices(sharing)
            if found and found[0].state == state:
                return found[0]


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing").reason


def caused(found: Sequence[revocation_pb2.RevocationNotice]) -> list[tuple[str, str]]:
    """Whom the notices tell why, oldest first."""
    prefix = "REVOCATION_CAUSE_"
    cause = revocation_pb2.RevocationCause.Name
    return [(one.recipient, cause(one.cause).removeprefix(prefix)) for one in reversed(found)]


async def withdraw(sharing: Sharing, consent: str) -> None:
    request = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=consent)
    await sharing.by_person("consents", "WithdrawConsent", request)


async def test_a_withdrawal_arrives(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    permit = await sharing.check(**MARKETING)
    recipient = permit.question.recipient
    await recorded(sharing, permit.name, *permit.question.categories)
    async with receiving() as endpoint:
        await set_endpoint(sharing, recipient, endpoint.url)
        await withdraw(sharing, consent)
        async with asyncio.timeout(20):
            push = await endpoint.came.get()
    asked = key_service_pb2.GetKeysRequest()
    shown = await sharing.call("keys", "GetKeys", asked, as_=AUDITOR)
    claims = as_documented()(push.token, json.loads(shown.jwks), recipient)
    assert claims == push.claims(KeySet.import_key_set(json.loads(shown.jwks)))

    notice = await standing(sharing, ACKNOWLEDGED)
    assert (notice.attempts, notice.problem, notice.acknowledger) == (1, "", "")
    assert list(notice.decisions) == [permit.name]
    assert (claims["jti"], claims["aud"]) == (notice.name, recipient)
    assert claims["events"] == {
        "urn:accord:sharing:event:revocation": {
            "cause": "consent_withdrawn",
            "deadline": "2026-06-04T12:00:00+00:00",
            "disclosed": [
                {
                    "decision": permit.name,
                    "purpose": "direct_marketing",
                    "relation": permit.question.relation,
                }
            ],
        }
    }
    assert sharing.person not in json.dumps(claims)
    said = [action for action in actions(sharing.url) if "revocation" in action]
    assert said == ["sharing:revocation:create", "sharing:revocation:acknowledge"]


def as_documented() -> Any:
    """Return the function by which docs/notices.md has recipients verify a notice."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own document
    return names["take"]


async def test_whoever_holds_nothing_under_it_is_not_told(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    await sharing.check(**MARKETING)  # permitted, and never sent
    await delivering(sharing)
    other = await sharing.check()
    await recorded(sharing, other.name)  # rests on a contract
    await withdraw(sharing, consent)
    assert not await notices(sharing)


async def test_what_is_recorded_after_the_withdrawal_is_called_back_too(sharing: Sharing) -> None:
    """An app sends under its permit, the person withdraws, and only then the app says so."""
    consent = await advertising(sharing)
    permit = await sharing.check(**MARKETING)
    await withdraw(sharing, consent)
    assert not await notices(sharing)
    await recorded(sharing, permit.name, *permit.question.categories)
    (notice,) = await notices(sharing)
    assert caused([notice]) == [(MARKETING["recipient"], "CONSENT_WITHDRAWN")]
    assert list(notice.decisions) == [permit.name]


async def test_each_choice_tells_whom_it_concerns(sharing: Sharing) -> None:
    """A stop by kind, an objection, an opt-out; what law ordered stays where it is."""
    await advertising(sharing)
    await delivering(sharing)
    for question in (MARKETING, {}):
        permit = await sharing.check(**question)
        await recorded(sharing, permit.name, *permit.question.categories)
    await sharing.register("police", "law_enforcement", "NL")
    order = (await activated(sharing)).name
    permit = await sharing.check(**LAW, instrument=order)
    await recorded(sharing, permit.name, *permit.question.categories)
    ads, dhl = MARKETING["recipient"], "recipients/dhl"

    opt_out = preference_service_pb2.OptOutRequest(
        request_id=request_id(), choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
    )
    await sharing.by_person("preferences", "OptOut", opt_out)
    stop = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient="service_provider"
    )
    await sharing.by_person("preferences", "StopSharing", stop)
    objection = preference_service_pb2.ObjectRequest(
        request_id=request_id(), purpose="fraud_prevention"
    )
    await sharing.by_person("preferences", "Object", objection)
    told = [(ads, "OPTED_OUT"), (ads, "SHARING_STOPPED"), (dhl, "SHARING_STOPPED")]
    assert caused(await notices(sharing)) == told

    await sharing.know_person(version=9, status=subject_pb2.SUBJECT_STATUS_DELETED)
    await sharing.know_person(version=10, status=subject_pb2.SUBJECT_STATUS_DELETED)  # once
    told += [(ads, "ACCOUNT_DELETED"), (dhl, "ACCOUNT_DELETED")]
    assert caused(await notices(sharing)) == told
    assert all("police" not in one.recipient for one in await notices(sharing))


async def test_the_end_of_a_contract_is_told_to_who_received_anything(sharing: Sharing) -> None:
    await sharing.know_person()
    dhl = await sharing.register()
    idle = await sharing.register("ups")
    contract, unused = await sharing.in_force(dhl), await sharing.in_force(idle)
    draft = await sharing.draft(dhl)
    permit = await sharing.check()
    await recorded(sharing, permit.name)
    for name in (contract.name, unused.name, draft.name):
        request = contract_service_pb2.TerminateContractRequest(request_id=request_id(), name=name)
        await sharing.by_officer("contracts", "TerminateContract", request)
    found = await notices(sharing)
    assert caused(found) == [(dhl, "CONTRACT_TERMINATED")]
    assert (found[0].contract, list(found[0].decisions)) == (contract.name, [])


async def test_what_does_not_arrive_is_overdue_and_officers_see_to_it(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    permit = await sharing.check(**MARKETING)
    recipient = permit.question.recipient
    await recorded(sharing, permit.name, *permit.question.categories)
    async with receiving(lambda _: answer(410)) as gone:
        await set_endpoint(sharing, recipient, gone.url)
        await withdraw(sharing, consent)
        notice = await standing(sharing, FAILED)
    assert (notice.problem, notice.attempts) == ("status_410", 1)
    assert not notice.HasField("next_attempt_time")
    assert not await notices(sharing, overdue=True)
    sharing.bench.clock.advance(timedelta(hours=72, seconds=1))
    assert [one.name for one in await notices(sharing, overdue=True)] == [notice.name]
    assert [one.name for one in await notices(sharing, state=FAILED)] == [notice.name]
    assert not await notices(sharing, state=PENDING)
    assert not await notices(sharing, recipient="recipients/others")

    async with receiving() as mended:
        await set_endpoint(sharing, recipient, mended.url)
        retry = pb.RetryNoticeRequest(request_id=request_id(), name=notice.name)
        again = await sharing.by_officer("revocations", "RetryNotice", retry)
        assert again.notice.state == PENDING
        arrived = await standing(sharing, ACKNOWLEDGED)
    assert arrived.attempts == 2
    assert not await notices(sharing, overdue=True)
    assert "sharing:revocation:overdue" in actions(sharing.url)

    for request in (
        pb.RetryNoticeRequest(request_id=request_id(), name=notice.name),
        pb.AcknowledgeByHandRequest(request_id=request_id(), name=notice.name, note="letter"),
    ):
        method = type(request).__name__.removesuffix("Request")
        assert await reason_of(sharing.by_officer("revocations", method, request)) == "WRONG_STATE"


async def test_an_acknowledgement_by_letter_is_noted_by_hand(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    permit = await sharing.check(**MARKETING)
    await recorded(sharing, permit.name, *permit.question.categories)
    await withdraw(sharing, consent)
    waiting = (await notices(sharing))[0]
    note = pb.AcknowledgeByHandRequest(
        request_id=request_id(), name=waiting.name, note="letter of 2 June"
    )
    first = await sharing.by_officer("revocations", "AcknowledgeByHand", note)
    assert first.notice.state == ACKNOWLEDGED
    assert (first.notice.acknowledger, first.notice.note) == (sharing.officer, "letter of 2 June")
    again = await sharing.by_officer("revocations", "AcknowledgeByHand", note)
    assert again.notice.acknowledge_time == first.notice.acknowledge_time
    get = pb.GetNoticeRequest(name=waiting.name)
    seen = await sharing.call("revocations", "GetNotice", get, as_=AUDITOR)
    assert seen.notice.note == "letter of 2 June"


async def test_an_endpoint_is_public_unless_this_is_a_sandbox(sharing: Sharing) -> None:
    dhl = await sharing.register()
    for url in ("http://hooks.example/", "https://10.0.0.1/", "https://a@hooks.example/"):
        assert await reason_of(set_endpoint(sharing, dhl, url)) == "INVALID_FIELD"
    assert await reason_of(set_endpoint(sharing, "recipients/nobody", "")) == "NOT_FOUND"
    get = recipient_service_pb2.GetEndpointRequest(recipient=dhl)
    assert not (await sharing.by_officer("recipients", "GetEndpoint", get)).endpoint.url
    await set_endpoint(sharing, dhl, "https://hooks.example/a")
    seen = await sharing.call("recipients", "GetEndpoint", get, as_=AUDITOR)
    assert (seen.endpoint.url, seen.endpoint.setter) == ("https://hooks.example/a", sharing.officer)
    await set_endpoint(sharing, dhl, "")
    assert not (await sharing.by_officer("recipients", "GetEndpoint", get)).endpoint.url
    person = sharing.by_person("recipients", "GetEndpoint", get)
    assert await reason_of(person) == "ACTOR_ROLE_MISSING"
