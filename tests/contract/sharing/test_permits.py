"""Permits: what they say, until when, and who can tell whether they are ours."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    decision_service_pb2,
    key_service_pb2,
)
from accord.sharing.v1.decision_pb2 import OUTCOME_DENY, OUTCOME_PERMIT
from joserfc import jwt
from joserfc.jwk import KeySet

from runtime.signing_keys import SIGNS
from services.sharing.domain.freshness import position
from tests.contract.sharing.conftest import Sharing, request_id

if TYPE_CHECKING:
    from accord.sharing.v1.decision_service_pb2 import CheckResponse

MARKETING = {
    "recipient": "recipients/ads",
    "purpose": "direct_marketing",
    "categories": ["contact.email"],
    "relation": "",
}


async def asked(sharing: Sharing, **question: Any) -> CheckResponse:
    request = decision_service_pb2.CheckRequest(question=sharing.question(**question), permit=True)
    answer: CheckResponse = await sharing.app("decisions", "Check", request)
    return answer


async def read(sharing: Sharing, permit: str) -> dict[str, Any]:
    """The claims of a permit whose signature holds with the keys that are shown."""
    answer = await sharing.app("keys", "GetKeys", key_service_pb2.GetKeysRequest())
    token = jwt.decode(permit, KeySet.import_key_set(json.loads(answer.jwks)), algorithms=["ES256"])
    assert token.header["typ"] == "accord-permit+jwt"
    return token.claims


async def delivering(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.in_force(await sharing.register())


async def advertising(sharing: Sharing, expires: datetime | None = None) -> str:
    await sharing.know_person()
    ads = await sharing.register("ads", "service_provider.advertising")
    await sharing.in_force(ads, purposes=["direct_marketing"])
    request = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(),
        scope=consent_pb2.ConsentScope(
            purposes=["direct_marketing"], categories=["contact.email"], recipient=ads
        ),
        notice="mi-store@2025-05-20",
        language="en",
    )
    if expires:
        request.expire_time.FromDatetime(expires)
    answer = await sharing.by_person("consents", "GiveConsent", request)
    name: str = answer.consent.name
    return name


async def test_a_permit_says_what_was_decided(sharing: Sharing) -> None:
    await delivering(sharing)
    answer = await asked(sharing)
    decision = answer.decision
    claims = await read(sharing, answer.permit)
    now = int(sharing.bench.clock.now().timestamp())
    watch, token = claims.pop("watch"), claims.pop("token")
    # On PostgreSQL another transaction may hold back what is known to have been seen.
    assert position(token, "nl").newest == position(token, "nl").settled
    assert position(token, "nl").settled == position(decision.token, "nl").settled
    assert claims == {
        "iss": "spiffe://nl.accord.internal/svc/sharing",
        "sub": sharing.person,
        "aud": "spiffe://nl.accord.internal/app/mi-store",
        "jti": decision.name,
        "iat": now,
        "exp": now + 300,
        "service": "mi_store",
        "recipient": "recipients/dhl",
        "purpose": "delivery",
        "categories": ["contact.name", "contact.phone", "contact.address"],
        "destination": "DE",
        "obligations": ["record_disclosure"],
        "contract": decision.contract,
        "rulebook": decision.rulebook_digest,
    }
    assert watch[0] == "recipients/dhl"
    assert sharing.person not in watch[1]


async def test_none_is_given_unless_asked_for_and_permitted(sharing: Sharing) -> None:
    await delivering(sharing)
    request = decision_service_pb2.CheckRequest(question=sharing.question())
    answer = await sharing.app("decisions", "Check", request)
    assert (answer.decision.outcome, answer.permit) == (OUTCOME_PERMIT, "")
    refused = await asked(sharing, purpose="sale")
    assert (refused.decision.outcome, refused.permit) == (OUTCOME_DENY, "")


async def test_each_permit_of_a_batch_is_its_own(sharing: Sharing) -> None:
    await delivering(sharing)
    questions = [sharing.question(), sharing.question(purpose="sale"), sharing.question()]
    request = decision_service_pb2.CheckBatchRequest(questions=questions, permit=True)
    answer = await sharing.app("decisions", "CheckBatch", request)
    first, denied, second = answer.responses
    assert denied.permit == ""
    for response in (first, second):
        claims = await read(sharing, response.permit)
        assert claims["jti"] == response.decision.name
    assert first.decision.name != second.decision.name


async def test_it_ends_with_a_consent_that_it_rests_on(sharing: Sharing) -> None:
    ends = sharing.bench.clock.now() + timedelta(seconds=90)
    await advertising(sharing, ends)
    claims = await read(sharing, (await asked(sharing, **MARKETING)).permit)
    assert claims["exp"] == int(ends.timestamp())


async def test_it_ends_with_the_day_since_contracts_do(sharing: Sharing) -> None:
    await delivering(sharing)
    midnight = datetime(2026, 6, 2, tzinfo=UTC)
    sharing.bench.clock.set(midnight - timedelta(seconds=40))
    claims = await read(sharing, (await asked(sharing)).permit)
    assert claims["exp"] == int(midnight.timestamp())


async def test_a_permit_of_a_key_that_was_replaced_still_verifies_while_it_lives(
    sharing: Sharing,
) -> None:
    await delivering(sharing)
    await asked(sharing)
    sharing.bench.clock.advance(SIGNS - timedelta(seconds=1))
    old = (await asked(sharing)).permit
    sharing.bench.clock.advance(timedelta(seconds=1))
    new = (await asked(sharing)).permit
    kids = [jwt_header(permit)["kid"] for permit in (old, new)]
    assert kids[0] != kids[1]
    await read(sharing, old)
    await read(sharing, new)


async def test_a_person_has_one_watch_key_and_another_person_another(sharing: Sharing) -> None:
    await delivering(sharing)
    keys = [(await read(sharing, (await asked(sharing)).permit))["watch"][1] for _ in range(2)]
    assert keys[0] == keys[1]
    first, sharing.person = sharing.person, sharing.officer
    await sharing.know_person()
    other = (await read(sharing, (await asked(sharing)).permit))["watch"][1]
    assert other != keys[0]
    assert first[-26:] not in keys[0]


def jwt_header(permit: str) -> dict[str, Any]:
    head = permit.partition(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return header
