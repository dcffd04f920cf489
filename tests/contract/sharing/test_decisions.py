"""Decisions over the wire: the story of an advertiser, and what stays on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    decision_service_pb2,
    preference_pb2,
    preference_service_pb2,
    reason_pb2,
    rulebook_service_pb2,
)
from accord.sharing.v1.decision_pb2 import (
    OUTCOME_DENY,
    OUTCOME_GAP,
    OUTCOME_PERMIT,
)
from sqlalchemy import create_engine, select

from runtime.event_names import text_of
from services.sharing.store import tables
from tests.contract.sharing.conftest import Sharing, request_id

if TYPE_CHECKING:
    from accord.sharing.v1.decision_pb2 import Decision

ADS = "recipients/ads"
MARKETING = {
    "recipient": ADS,
    "purpose": "direct_marketing",
    "categories": ["contact.email"],
    "relation": "",
}


def reasons(decision: Decision) -> list[str]:
    return [reason_pb2.Reason.Name(found.reason)[7:] for found in decision.reasons]


def read(sharing: Sharing) -> list[NewEntry]:
    """What is on record of readings of decisions."""
    engine = create_engine(sharing.url)
    with engine.connect() as connection:
        found = connection.scalars(select(tables.outbox.c.event).order_by(tables.outbox.c.id)).all()
    engine.dispose()
    events = [NewEntry.FromString(event) for event in found]
    return [event for event in events if text_of(event.event) == "sharing:decision:read"]


def consent(**scope: Any) -> consent_service_pb2.GiveConsentRequest:
    usual: dict[str, Any] = {
        "purposes": ["direct_marketing"],
        "categories": ["contact.email"],
        "recipient": ADS,
    }
    return consent_service_pb2.GiveConsentRequest(
        request_id=request_id(),
        scope=consent_pb2.ConsentScope(**usual | scope),
        notice="mi-store@2025-05-20",
        language="en",
    )


async def test_delivery_is_permitted_with_its_clause_and_contract(sharing: Sharing) -> None:
    await sharing.know_person()
    dhl = await sharing.register()
    contract = await sharing.in_force(dhl)
    decision = await sharing.check()
    assert decision.outcome == OUTCOME_PERMIT
    assert decision.contract == f"{contract.name}/versions/1"
    assert [ground.citation for ground in decision.grounds] == ["mi-store@2025-05-20 §4.1.3"]
    assert decision.question.destination == "DE"
    assert len(decision.trace_id) == 32
    assert decision.asker == "mi-store"


async def test_the_story_of_an_advertiser(sharing: Sharing) -> None:
    await sharing.know_person()
    ads = await sharing.register("ads", "service_provider.advertising")
    terms = {"purposes": ["direct_marketing"]}
    contract = await sharing.draft(ads, **terms)
    decision = await sharing.check(**MARKETING)
    assert decision.outcome == OUTCOME_GAP
    assert reasons(decision) == ["CONSENT_MISSING", "CONTRACT_NOT_ACTIVE"]
    assert decision.contract == f"{contract.name}/versions/1"

    given = (await sharing.by_person("consents", "GiveConsent", consent())).consent
    await sharing.in_force(ads, **terms)
    permit = await sharing.check(**MARKETING)
    assert permit.outcome == OUTCOME_PERMIT
    assert permit.grounds[0].consent == given.name

    withdraw = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=given.name)
    await sharing.by_person("consents", "WithdrawConsent", withdraw)
    decision = await sharing.check(**MARKETING)
    assert decision.outcome == OUTCOME_DENY
    assert reasons(decision) == ["CONSENT_WITHDRAWN"]

    earlier = decision_service_pb2.GetDecisionRequest(name=permit.name)
    answer = await sharing.by_person("decisions", "GetDecision", earlier)
    assert answer.decision == permit


async def test_an_opt_out_denies_until_it_is_lifted(sharing: Sharing) -> None:
    await sharing.know_person()
    ads = await sharing.register("ads", "service_provider.advertising")
    await sharing.in_force(ads, purposes=["direct_marketing"])
    await sharing.by_person("consents", "GiveConsent", consent())
    choice = preference_service_pb2.OptOutRequest(
        request_id=request_id(), choice=preference_pb2.OPT_OUT_CHOICE_DIRECT_MARKETING
    )
    chosen = (await sharing.by_person("preferences", "OptOut", choice)).preference
    assert reasons(await sharing.check(**MARKETING)) == ["MARKETING_OPTED_OUT"]
    lift = preference_service_pb2.LiftRequest(request_id=request_id(), name=chosen.name)
    await sharing.by_person("preferences", "Lift", lift)
    assert (await sharing.check(**MARKETING)).outcome == OUTCOME_PERMIT


async def test_an_account_that_nobody_has_is_a_gap(sharing: Sharing) -> None:
    await sharing.in_force(await sharing.register())
    assert reasons(await sharing.check()) == ["SUBJECT_UNKNOWN"]


async def test_a_person_sees_their_own_decisions_page_by_page(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.register()
    names = [(await sharing.check(relation=f"order-{n}")).name for n in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        request = decision_service_pb2.ListDecisionsRequest(page_size=2, page_token=token)
        answer = await sharing.by_person("decisions", "ListDecisions", request)
        seen += [decision.name for decision in answer.decisions]
        token = answer.next_page_token
        if not token:
            break
    assert seen == names[::-1]


async def test_a_decision_is_hidden_from_others(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.register()
    decision = await sharing.check()
    request = decision_service_pb2.GetDecisionRequest(name=decision.name)
    assert (await sharing.app("decisions", "GetDecision", request)).decision == decision
    stated = decision_service_pb2.GetDecisionRequest(name=decision.name, purpose="complaint 12")
    person = (sharing.second, "person")
    officer = (sharing.second, "person", "officer")
    for certificate, actor, asked in (
        ("app/live-chat", (), stated),
        ("svc/portal", person, stated),  # stating a purpose makes nobody staff
        ("svc/portal", officer, request),  # without one, staff read as the people they are
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sharing.call("decisions", "GetDecision", asked, as_=certificate, actor=actor)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert read(sharing) == []


@pytest.mark.parametrize("role", ["officer", "auditor"])
async def test_staff_read_a_decision_for_a_purpose_and_on_record(
    sharing: Sharing, role: str
) -> None:
    await sharing.know_person()
    await sharing.register()
    decision = await sharing.check()
    ways: list[tuple[str, tuple[str, ...]]] = [
        ("svc/portal", (sharing.second, "person", role)),
        (f"staff/{role}/ana", ()),
    ]
    for number, (certificate, actor) in enumerate(ways, start=1):
        for purpose in ("", " ", "two\nlines", "x" * 201):
            if purpose or not actor:
                vague = decision_service_pb2.GetDecisionRequest(name=decision.name, purpose=purpose)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await sharing.call(
                        "decisions", "GetDecision", vague, as_=certificate, actor=actor
                    )
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        stated = decision_service_pb2.GetDecisionRequest(name=decision.name, purpose="complaint 12")
        answer = await sharing.call(
            "decisions", "GetDecision", stated, as_=certificate, actor=actor
        )
        assert answer.decision == decision
        events = read(sharing)
        assert len(events) == number
        assert events[-1].account == sharing.person
        assert events[-1].resource == decision.name
        assert [each.value for each in events[-1].fields] == ["complaint 12"]
        assert (actor[0] if actor else certificate) in events[-1].actor


async def test_the_vocabulary_has_two_languages_throughout(sharing: Sharing) -> None:
    request = rulebook_service_pb2.GetVocabularyRequest()
    vocabulary = (await sharing.app("rulebook", "GetVocabulary", request)).vocabulary
    terms = [*vocabulary.services, *vocabulary.safeguards]
    terms += [kind.term for kind in vocabulary.kinds]
    terms += [purpose.term for purpose in vocabulary.purposes]
    terms += [category.term for category in vocabulary.categories]
    terms += [notice.term for notice in vocabulary.notices]
    assert all([label.language for label in term.labels] == ["en", "zh-Hant"] for term in terms)
    assert len(vocabulary.reasons) == len(reason_pb2.Reason.values()) - 1
