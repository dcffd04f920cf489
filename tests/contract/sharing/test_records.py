"""Contracts, consents and choices over the wire: their steps, and that each happens once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.audit.v1.append_service_pb2 import NewEntry
from accord.sharing.v1 import (
    consent_pb2,
    consent_service_pb2,
    contract_pb2,
    contract_service_pb2,
    decision_pb2,
    decision_service_pb2,
    preference_service_pb2,
    recipient_service_pb2,
    subject_pb2,
    subject_service_pb2,
)
from sqlalchemy import create_engine, select

from runtime.db import Database
from runtime.errors import from_error
from runtime.event_names import text_of
from services.sharing.store import tables
from tests.contract.sharing.conftest import Sharing, request_id, rows, terms_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message


def actions(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        events = connection.execute(select(tables.outbox.c.event).order_by(tables.outbox.c.id))
        found = [text_of(NewEntry.FromString(event).event) for (event,) in events]
    engine.dispose()
    return found


async def reason_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value, "sharing").reason


def step(kind: type[Any], contract: contract_pb2.Contract, **more: Any) -> Any:
    return kind(request_id=request_id(), name=contract.name, **more)


async def test_the_life_of_a_contract(sharing: Sharing) -> None:
    pb = contract_service_pb2
    await sharing.know_person()
    dhl = await sharing.register()
    contract = await sharing.in_force(dhl)
    assert (contract.version, contract.active_version) == (1, 1)
    narrower = terms_of(categories=["contact.name"])
    amend = step(pb.AmendContractRequest, contract, version=1, terms=narrower)
    amended = (await sharing.by_officer("contracts", "AmendContract", amend)).contract
    assert (amended.version, amended.active_version) == (2, 1)
    assert amended.state == contract_pb2.CONTRACT_STATE_DRAFT
    assert (await sharing.check()).outcome == decision_pb2.OUTCOME_PERMIT  # version 1 is in force

    submit = step(pb.SubmitContractRequest, contract, version=2)
    await sharing.by_officer("contracts", "SubmitContract", submit)
    activate = step(pb.ActivateContractRequest, contract, version=2)
    await sharing.by_officer("contracts", "ActivateContract", activate, who=sharing.second)
    narrowed = await sharing.check()
    assert narrowed.permitted_categories == ["contact.name"]
    assert narrowed.contract == f"{contract.name}/versions/2"

    suspend = step(pb.SuspendContractRequest, contract, note="audit finding")
    await sharing.by_officer("contracts", "SuspendContract", suspend)
    only_name = {"categories": ["contact.name"]}
    assert (await sharing.check(**only_name)).outcome == decision_pb2.OUTCOME_GAP
    resume = step(pb.ActivateContractRequest, contract, version=2)
    await sharing.by_officer("contracts", "ActivateContract", resume, who=sharing.second)
    assert (await sharing.check(**only_name)).outcome == decision_pb2.OUTCOME_PERMIT

    terminate = step(pb.TerminateContractRequest, contract)
    await sharing.by_officer("contracts", "TerminateContract", terminate)
    assert (await sharing.check(**only_name)).outcome == decision_pb2.OUTCOME_GAP
    again = step(pb.ActivateContractRequest, contract, version=2)
    call = sharing.by_officer("contracts", "ActivateContract", again, who=sharing.second)
    assert await reason_of(call) == "WRONG_STATE"

    get = pb.GetContractRequest(name=contract.name)
    known = (await sharing.by_officer("contracts", "GetContract", get)).contract
    states = [contract_pb2.ContractState.Name(event.state)[15:] for event in known.history]
    assert states == [
        "DRAFT",
        "UNDER_REVIEW",
        "ACTIVE",
        "DRAFT",
        "UNDER_REVIEW",
        "ACTIVE",
        "SUSPENDED",
        "ACTIVE",
        "TERMINATED",
    ]
    assert [event.note for event in known.history if event.note] == ["audit finding"]


async def test_four_eyes(sharing: Sharing) -> None:
    """Nobody activates their own contract; whose certificate is whose account, nothing tells."""
    pb = contract_service_pb2
    dhl = await sharing.register()
    contract = await sharing.draft(dhl)
    submit = step(pb.SubmitContractRequest, contract, version=1)
    await sharing.by_officer("contracts", "SubmitContract", submit)
    activate = step(pb.ActivateContractRequest, contract, version=1)
    for refused in (
        sharing.by_officer("contracts", "ActivateContract", activate),
        sharing.call("contracts", "ActivateContract", activate, as_="staff/officer/ana"),
    ):
        assert await reason_of(refused) == "FOUR_EYES"
    answer = await sharing.by_officer("contracts", "ActivateContract", activate, who=sharing.second)
    assert answer.contract.state == contract_pb2.CONTRACT_STATE_ACTIVE

    written = pb.CreateContractRequest(request_id=request_id(), recipient=dhl, terms=terms_of())
    own = await sharing.call("contracts", "CreateContract", written, as_="staff/officer/ana")
    submit = step(pb.SubmitContractRequest, own.contract, version=1)
    await sharing.by_officer("contracts", "SubmitContract", submit)
    activate = step(pb.ActivateContractRequest, own.contract, version=1)
    for refused in (
        sharing.by_officer("contracts", "ActivateContract", activate),
        sharing.call("contracts", "ActivateContract", activate, as_="staff/officer/ana"),
    ):
        assert await reason_of(refused) == "FOUR_EYES"
    answer = await sharing.call("contracts", "ActivateContract", activate, as_="staff/officer/ben")
    assert answer.contract.state == contract_pb2.CONTRACT_STATE_ACTIVE


async def test_without_a_signed_document_no_contract_is_activated(sharing: Sharing) -> None:
    terms = terms_of()
    terms.ClearField("document")
    created = contract_service_pb2.CreateContractRequest(
        request_id=request_id(), recipient=await sharing.register(), terms=terms
    )
    contract = (await sharing.by_officer("contracts", "CreateContract", created)).contract
    submit = step(contract_service_pb2.SubmitContractRequest, contract, version=1)
    await sharing.by_officer("contracts", "SubmitContract", submit)
    activate = step(contract_service_pb2.ActivateContractRequest, contract, version=1)
    call = sharing.by_officer("contracts", "ActivateContract", activate, who=sharing.second)
    assert await reason_of(call) == "CONTRACT_INCOMPLETE"


async def test_a_mutation_happens_once(sharing: Sharing) -> None:
    """The same request has the same answer, also after later changes; another content has none."""
    ads = await sharing.register("ads", "service_provider.advertising")
    give = consent_service_pb2.GiveConsentRequest(
        request_id=request_id(),
        scope=consent_pb2.ConsentScope(
            purposes=["newsletter"], categories=["contact.email"], recipient=ads
        ),
        notice="mi-store@2025-05-20",
        language="zh-Hant",
    )
    first = await sharing.by_person("consents", "GiveConsent", give)
    withdraw = consent_service_pb2.WithdrawConsentRequest(
        request_id=request_id(), name=first.consent.name
    )
    withdrawn = await sharing.by_person("consents", "WithdrawConsent", withdraw)
    assert withdrawn.consent.state == consent_pb2.CONSENT_STATE_WITHDRAWN
    for method, request, before in (
        ("GiveConsent", give, first),
        ("WithdrawConsent", withdraw, withdrawn),
    ):
        again = await sharing.by_person("consents", method, request)
        assert again.consent == before.consent
        assert again.token >= before.token  # it says how new the records are now
    assert rows(sharing.url, "consents") == 2  # one revision for each answer of the person
    give.language = "en"
    assert await reason_of(sharing.by_person("consents", "GiveConsent", give)) == (
        "REQUEST_ID_REUSED"
    )
    listed = await sharing.by_person(
        "consents", "ListConsents", consent_service_pb2.ListConsentsRequest()
    )
    assert list(listed.consents) == [withdrawn.consent]


async def test_invariant_3_every_state_change_is_published_once(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.know_person()  # the same version again changes nothing
    await sharing.in_force(await sharing.register())
    stop = preference_service_pb2.StopSharingRequest(
        request_id=request_id(), recipient="recipients/dhl"
    )
    for _ in range(2):
        await sharing.by_person("preferences", "StopSharing", stop)
    await sharing.check()
    assert actions(sharing.url) == [
        "sharing:subject:put",
        "sharing:recipient:create",
        "sharing:contract:create",
        "sharing:contract:submit",
        "sharing:contract:activate",
        "sharing:preference:stop_sharing_with",
        "sharing:decision:deny",
    ]


async def test_a_choice_that_stands_is_not_made_twice(sharing: Sharing) -> None:
    pb = preference_service_pb2

    def objection() -> Message:
        return pb.ObjectRequest(request_id=request_id(), purpose="fraud_prevention")

    first = await sharing.by_person("preferences", "Object", objection())
    assert await sharing.by_person("preferences", "Object", objection()) == first
    lift = pb.LiftRequest(request_id=request_id(), name=first.preference.name)
    lifted = await sharing.by_person("preferences", "Lift", lift)
    assert lifted.preference.HasField("lift_time")
    again = await sharing.by_person("preferences", "Object", objection())
    listed = await sharing.by_person("preferences", "ListPreferences", pb.ListPreferencesRequest())
    assert list(listed.preferences) == [again.preference, lifted.preference]


async def test_an_older_version_of_a_subject_changes_nothing(sharing: Sharing) -> None:
    await sharing.in_force(await sharing.register())
    await sharing.know_person(version=3, status=subject_pb2.SUBJECT_STATUS_FROZEN)
    await sharing.know_person(version=2)
    decision = await sharing.check()
    assert decision.outcome == decision_pb2.OUTCOME_DENY
    older = subject_service_pb2.PutSubjectRequest()
    older.subject.account = sharing.person
    older.subject.jurisdiction = "NL"
    older.subject.status = subject_pb2.SUBJECT_STATUS_ACTIVE
    older.subject.since_time.GetCurrentTime()
    older.subject.version = 1
    answer = await sharing.call("subjects", "PutSubject", older, as_="svc/account")
    assert answer.version == 3


async def pages(ask: Callable[..., Awaitable[Any]], kind: type[Any], field: str) -> list[list[str]]:
    """The names on each page of at most two."""
    found, token = [], ""
    while True:
        answer = await ask(kind(page_size=2, page_token=token))
        found.append([each.name for each in getattr(answer, field)])
        token = answer.next_page_token
        if not token:
            return found


async def test_every_list_comes_in_pages(sharing: Sharing) -> None:
    """Each row once, newest first, with nothing behind the last."""
    dhl = await sharing.register()
    contracts = [(await sharing.draft(dhl)).name for _ in range(3)]
    decisions = [(await sharing.check()).name for _ in range(4)]
    preferences, consents = [], []
    for purpose in ("fraud_prevention", "security", "service_analytics"):
        objection = preference_service_pb2.ObjectRequest(request_id=request_id(), purpose=purpose)
        made = await sharing.by_person("preferences", "Object", objection)
        preferences.append(made.preference.name)
        give = consent_service_pb2.GiveConsentRequest(
            request_id=request_id(),
            scope=consent_pb2.ConsentScope(
                purposes=["newsletter"], categories=["contact.email"], recipient=dhl
            ),
            notice="mi-store@2025-05-20",
            language="en",
        )
        given = await sharing.by_person("consents", "GiveConsent", give)
        consents.append(given.consent.name)
    withdraw = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=consents[0])
    await sharing.by_person("consents", "WithdrawConsent", withdraw)  # it keeps its place

    async def listed(service: str, method: str, kind: type[Any], field: str) -> list[list[str]]:
        by = sharing.by_officer if service == "contracts" else sharing.by_person
        return await pages(partial(by, service, method), kind, field)

    pb: Any = contract_service_pb2.ListContractsRequest
    assert await listed("contracts", "ListContracts", pb, "contracts") == in_twos(contracts)
    pb = decision_service_pb2.ListDecisionsRequest
    assert await listed("decisions", "ListDecisions", pb, "decisions") == in_twos(decisions)
    pb = preference_service_pb2.ListPreferencesRequest
    assert await listed("preferences", "ListPreferences", pb, "preferences") == in_twos(preferences)
    pb = consent_service_pb2.ListConsentsRequest
    assert await listed("consents", "ListConsents", pb, "consents") == in_twos(consents)


def in_twos(names: list[str]) -> list[list[str]]:
    newest = names[::-1]
    return [newest[n : n + 2] for n in range(0, len(newest), 2)]


async def test_a_page_token_is_good_for_its_list_alone(sharing: Sharing) -> None:
    pb = recipient_service_pb2
    for name in ("ada", "ben", "cid"):
        await sharing.register(name)
    page = await sharing.by_officer(
        "recipients", "ListRecipients", pb.ListRecipientsRequest(page_size=2)
    )
    token = page.next_page_token
    rest = pb.ListRecipientsRequest(page_token=token)
    assert [
        r.name for r in (await sharing.by_officer("recipients", "ListRecipients", rest)).recipients
    ] == ["recipients/cid"]
    other = pb.ListRecipientsRequest(page_token=token, kind="affiliate")
    call = sharing.by_officer("recipients", "ListRecipients", other)
    assert await reason_of(call) == "PAGE_TOKEN_INVALID"
    call = sharing.by_officer("recipients", "ListRecipients", rest, who=sharing.second)
    assert await reason_of(call) == "PAGE_TOKEN_INVALID"


async def test_invariant_1_no_permit_leaves_before_its_record_is_durable(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 1: a failed commit answers nobody; whoever has an answer finds its record."""
    await sharing.know_person()
    await sharing.in_force(await sharing.register())
    before = rows(sharing.url, "decisions")
    fail = getattr(Database, "_attempt")  # noqa: B009  the commit of a group of units

    def broken(self: Database, group: list[Any]) -> Any:
        def torn(unit: Any) -> Any:
            def run(tx: Any) -> Any:
                unit(tx)
                raise OSError("the disk is gone before the commit")

            return run

        return fail(self, [replace(job, unit=torn(job.unit)) for job in group])

    with monkeypatch.context() as patched:
        patched.setattr(Database, "_attempt", broken)
        with pytest.raises(grpc.aio.AioRpcError):
            await sharing.check()
    assert rows(sharing.url, "decisions") == before
    decision = await sharing.check()
    assert rows(sharing.url, "decisions") == before + 1
    engine = create_engine(sharing.url)
    with engine.connect() as connection:
        names = connection.execute(select(tables.decisions.c.name)).scalars().all()
    engine.dispose()
    assert decision.name in names
