"""What someone who means harm can try between browser, provider and portal, and how it ends."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from accord.account.v1 import account_pb2, account_service_pb2, link_service_pb2
from accord.account.v1 import session_service_pb2 as pb

from runtime.fault import Fault
from services.account.domain import flow, registration, secret
from tests.unit.account.harness import (
    Callback,
    Region,
    audit_events,
    refusal,
    registration_form,
)

MANY = 100


async def test_invariant_7_a_proof_is_bound_to_account_provider_subject_and_flow_and_used_once(
    region: Region,
) -> None:
    """A hundred redemptions of one callback at once; one proves, none links twice."""
    anna = await region.sign_up("anna")
    flow_secret, callback = await region.begin_link(anna, "anna")

    async def redeem() -> str:
        try:
            await region.complete_link(anna, flow_secret, callback)
        except Exception as error:  # noqa: BLE001  each outcome is judged below
            return (await refusal(_raise(error))).reason
        return "linked"

    outcomes = await asyncio.gather(*(redeem() for _ in range(MANY)))
    assert outcomes.count("linked") == 1
    assert outcomes.count("FLOW_REPLAYED") == MANY - 1
    assert len((await region.listed(anna)).links) == 2
    added = [e for e in audit_events(region.database) if e["action"] == "account:link:add"]
    assert len(added) == 2  # the sign-up's and this one


async def test_a_registration_makes_one_account_however_often_it_is_sent(region: Region) -> None:
    outcome = await region.sign_in("anna")

    async def register() -> str:
        form = registration_form(outcome.registration.secret)  # each with its own request_id
        try:
            await region.sessions.Register(form)
        except Exception as error:  # noqa: BLE001  each outcome is judged below
            return (await refusal(_raise(error))).reason
        return "registered"

    outcomes = await asyncio.gather(*(register() for _ in range(20)))
    assert sorted(set(outcomes)) == ["REGISTRATION_USED", "registered"]
    assert outcomes.count("registered") == 1
    fault = await refusal(
        region.sessions.GetRegistration(
            pb.GetRegistrationRequest(registration_secret=outcome.registration.secret)
        )
    )
    assert fault.reason == "REGISTRATION_USED"


async def test_two_registrations_of_one_identity_make_one_account(region: Region) -> None:
    first, second = await region.sign_in("anna"), await region.sign_in("anna")
    await region.sessions.Register(registration_form(first.registration.secret))
    fault = await refusal(region.sessions.Register(registration_form(second.registration.secret)))
    assert fault.reason == "IDENTITY_TAKEN"


async def test_a_callback_cannot_be_replayed(region: Region) -> None:
    begun, callback = await region.begin("anna")
    await region.complete(begun.flow_secret, callback)
    fault = await refusal(region.complete(begun.flow_secret, callback))
    assert fault.reason == "FLOW_REPLAYED"


async def test_a_code_cannot_be_injected_into_another_flow(region: Region) -> None:
    """The thief's own flow, the victim's code: PKCE ties the code to the victim's verifier."""
    _, stolen = await region.begin("anna")
    begun, own = await region.begin("sofia")
    fault = await refusal(region.complete(begun.flow_secret, own | {"code": stolen["code"]}))
    assert fault.reason == "PROOF_REFUSED"


async def test_a_callback_is_refused_in_another_browser(region: Region) -> None:
    """Login CSRF: the victim is sent to the attacker's callback, without the attacker's cookie."""
    _, callback = await region.begin("anna")
    victim, _ = await region.begin("sofia")
    assert (await refusal(region.complete(victim.flow_secret, callback))).reason == "FLOW_MISMATCH"
    fault = await refusal(region.complete(secret.new_secret(), callback))
    assert fault.reason == "FLOW_UNKNOWN"


async def test_a_link_flow_is_good_for_its_person_alone(region: Region) -> None:
    """CVE-2026-9087's class: the proof of one person must never link to another."""
    anna, pieter = await region.sign_up("anna"), await region.sign_up("pieter")
    flow_secret, callback = await region.begin_link(anna, "anna")
    fault = await refusal(region.complete_link(pieter, flow_secret, callback))
    assert fault.reason == "FLOW_UNKNOWN"
    assert len((await region.listed(pieter)).links) == 1


async def test_a_sign_in_flow_cannot_link_and_a_link_flow_cannot_sign_in(region: Region) -> None:
    anna = await region.sign_up("anna")
    begun, callback = await region.begin("anna", "facebook")
    fault = await refusal(region.complete_link(anna, begun.flow_secret, callback))
    assert fault.reason == "FLOW_UNKNOWN"
    flow_secret, callback = await region.begin_link(anna, "anna")
    assert (await refusal(region.complete(flow_secret, callback))).reason == "FLOW_UNKNOWN"


@pytest.mark.parametrize(
    ("changed", "parameter"),
    [
        ({"state": "A" * 43}, "state"),
        ({"iss": "https://localhost:1/google"}, "iss"),
        ({"iss": None}, "iss"),
        ({"provider": "facebook"}, "provider"),
        ({"code": None}, "code"),
    ],
)
async def test_a_mixed_up_callback_is_refused(
    region: Region, changed: dict[str, str | None], parameter: str
) -> None:
    begun, callback = await region.begin("anna")
    tampered: Callback = {k: v for k, v in (callback | changed).items() if v is not None}
    fault = await refusal(region.complete(begun.flow_secret, tampered))
    assert (fault.reason, fault.metadata) == ("FLOW_MISMATCH", {"parameter": parameter})
    fault = await refusal(region.complete(begun.flow_secret, callback))
    assert fault.reason == "FLOW_REPLAYED"  # whoever guesses has one guess


@pytest.mark.parametrize(
    "lie",
    [
        "nonce",
        "audience",
        "algorithm",
        "symmetric",
        "issuer",
        "expired",
        "signature",
        "subject",
        "userinfo",
        "stale",
        "shared",
        "at_hash",
    ],
)
async def test_a_lying_id_token_is_refused(region: Region, lie: str) -> None:
    assert (await refusal(region.sign_in(lie))).reason == "PROOF_REFUSED"


@pytest.mark.parametrize("provider", ["google", "facebook"])
async def test_a_no_at_the_provider_is_no_error(region: Region, provider: str) -> None:
    fault = await refusal(region.sign_in("", provider))
    assert (fault.reason, fault.metadata) == ("SIGN_IN_DECLINED", {"provider": provider})


async def test_an_expired_flow_is_refused(region: Region) -> None:
    begun, callback = await region.begin("anna")
    region.bench.clock.advance(flow.LIFE)
    fault = await refusal(region.complete(begun.flow_secret, callback))
    assert fault.reason == "FLOW_EXPIRED"


async def test_an_expired_registration_is_refused(region: Region) -> None:
    outcome = await region.sign_in("anna")
    region.bench.clock.advance(registration.LIFE)
    form = registration_form(outcome.registration.secret)
    assert (await refusal(region.sessions.Register(form))).reason == "REGISTRATION_EXPIRED"


async def test_a_tampered_registration_is_unknown(region: Region) -> None:
    sealed = (await region.sign_in("anna")).registration.secret
    middle = len(sealed) // 2
    flipped = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    fault = await refusal(region.sessions.Register(registration_form(flipped)))
    assert fault.reason == "REGISTRATION_UNKNOWN"


async def test_the_same_email_never_links(region: Region) -> None:
    """Pre-hijacking, the classic-federated merge: pieter's two providers say the same address."""
    pieter = await region.sign_up("pieter", imports=[account_pb2.PROFILE_FIELD_EMAIL])
    outcome = await region.sign_in("pieter", "facebook")
    assert outcome.WhichOneof("outcome") == "registration"
    assert len((await region.listed(pieter)).links) == 1


async def test_sessions_begun_through_a_link_end_with_it(region: Region) -> None:
    """Pre-hijacking, the unexpired session: whoever linked an identity of theirs is out."""
    anna = await region.sign_up("anna")
    linked = await region.link(anna, "twan")  # an intruder's, linked in an unwatched moment
    region.bench.clock.advance(timedelta(seconds=1))
    intruder = (await region.sign_in("twan", "facebook")).session
    assert intruder.account == anna.account
    request = link_service_pb2.UnlinkRequest(name=linked.link.name, request_id=str(uuid4()))
    await region.links.Unlink(request, metadata=anna.metadata)
    assert (await refusal(region.signed(intruder.secret))).reason == "SESSION_INVALID"
    assert (await region.signed(anna.secret)).account == anna.account


async def test_an_identity_of_another_account_cannot_be_linked(region: Region) -> None:
    await region.sign_up("anna", "facebook")
    pieter = await region.sign_up("pieter")
    fault = await refusal(region.link(pieter, "anna"))
    assert (fault.reason, fault.metadata) == ("IDENTITY_TAKEN", {"provider": "facebook"})


async def test_another_persons_account_and_links_do_not_exist(region: Region) -> None:
    anna, pieter = await region.sign_up("anna"), await region.sign_up("pieter")
    theirs = (await region.listed(anna)).links[0].name
    get = account_service_pb2.GetAccountRequest(name=anna.account)
    listing = link_service_pb2.ListLinksRequest(parent=anna.account)
    unlinking = link_service_pb2.UnlinkRequest(
        name=theirs, request_id="6d0a3b7e-3b6e-4f58-9c52-0a8f6b1f0d11"
    )
    for call in (
        region.accounts.GetAccount(get, metadata=pieter.metadata),
        region.links.ListLinks(listing, metadata=pieter.metadata),
        region.links.Unlink(unlinking, metadata=pieter.metadata),
    ):
        assert (await refusal(call)).reason == "NOT_FOUND"


async def test_invariant_5_people_of_another_home_leave_nothing_behind(region: Region) -> None:
    """Before the country says that this is home, nothing of the person is at rest."""
    outcome = await region.sign_in("arjun")
    assert outcome.registration.suggestions
    fault = await refusal(
        region.sessions.Register(registration_form(outcome.registration.secret, country="IN"))
    )
    assert (fault.reason, fault.metadata) == ("WRONG_REGION", {"region": "in"})
    at_rest = b"".join(
        path.read_bytes() for path in region.database.parent.glob("account.db*")
    ).lower()
    for trace in (b"arjun", b"nair", b"104310000000000000002"):
        assert trace not in at_rest
    assert not audit_events(region.database)


async def test_a_provider_that_is_not_on_offer_registers_and_links_nobody(
    region: Region,
) -> None:
    outcome = await region.sign_in("twan", "facebook")
    form = registration_form(outcome.registration.secret, country="BE")
    assert (await refusal(region.sessions.Register(form))).reason == "PROVIDER_NOT_OFFERED"
    anna = await region.sign_up("anna", country="BE")
    assert (await refusal(region.link(anna, "anna"))).reason == "PROVIDER_NOT_OFFERED"


async def test_time_may_jump_back_without_opening_a_door(region: Region) -> None:
    begun, callback = await region.begin("anna")
    await region.complete(begun.flow_secret, callback)
    region.bench.clock.advance(-timedelta(minutes=5))
    fault = await refusal(region.complete(begun.flow_secret, callback))
    assert fault.reason == "FLOW_REPLAYED"


async def _raise(error: Exception) -> Fault:
    raise error
