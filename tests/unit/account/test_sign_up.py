"""A person signs up, signs in, links, unlinks: the way it should go."""

import json
from datetime import timedelta
from uuid import uuid4

from accord.account.v1 import account_pb2, account_service_pb2, link_service_pb2
from accord.account.v1 import session_service_pb2 as pb
from accord.type.v1 import callers_pb2

from services.account.domain import session
from tests.unit.account.harness import (
    Region,
    Signed,
    audit_events,
    refusal,
    registration_form,
)

NICKNAME, PICTURE, EMAIL = (
    account_pb2.PROFILE_FIELD_NICKNAME,
    account_pb2.PROFILE_FIELD_PICTURE,
    account_pb2.PROFILE_FIELD_EMAIL,
)
VERIFIED = account_pb2.ImportedValue.VERIFICATION_VERIFIED
UNVERIFIED = account_pb2.ImportedValue.VERIFICATION_UNVERIFIED


async def own_account(region: Region, signed: Signed) -> account_pb2.Account:
    answer = await region.accounts.GetAccount(
        account_service_pb2.GetAccountRequest(name=signed.account), metadata=signed.metadata
    )
    return answer.account


async def unlink(region: Region, signed: Signed, name: str, request_id: str = "") -> None:
    await region.links.Unlink(
        link_service_pb2.UnlinkRequest(name=name, request_id=request_id or str(uuid4())),
        metadata=signed.metadata,
    )


async def test_providers_are_listed_in_order_and_by_country(region: Region) -> None:
    everywhere = await region.sessions.ListProviders(pb.ListProvidersRequest())
    russia = await region.sessions.ListProviders(pb.ListProvidersRequest(country="RU"))
    assert [provider.key for provider in everywhere.providers] == ["google", "facebook"]
    assert [provider.title for provider in russia.providers] == ["Google"]


async def test_signs_up_with_google_and_is_known_the_next_time(region: Region) -> None:
    first = await region.sign_in("anna")
    suggestions = {item.field: item for item in first.registration.suggestions}
    assert suggestions[NICKNAME].value == "Anna de Vries"
    assert suggestions[EMAIL].verification == VERIFIED
    form = registration_form(
        first.registration.secret, birth_date="1990-04-30", imports=[NICKNAME, EMAIL]
    )
    registered = await region.sessions.Register(form)
    assert registered.propagation == pb.RegisterResponse.PROPAGATION_DONE
    anna = await region.signed(registered.session.secret)
    assert anna.answer.nickname == "Anna de Vries"
    assert list(anna.answer.roles) == [callers_pb2.ROLE_PERSON]

    account = await own_account(region, anna)
    assert (account.country, account.birth_date, account.language) == ("NL", "1990-04-30", "en")
    assert [(item.field, item.provider) for item in account.profile] == [
        (NICKNAME, "google"),
        (EMAIL, "google"),
    ]
    told = region.subjects.told[-1]
    assert (told.account, told.jurisdiction, told.birth_date) == (account.name, "NL", "1990-04-30")
    assert told.version == 1

    again = await region.sign_in("anna")
    assert again.session.account == account.name


async def test_birth_date_and_imports_are_choices(region: Region) -> None:
    sofia = await region.sign_up("sofia")
    account = await own_account(region, sofia)
    assert not account.HasField("birth_date")
    assert not account.profile
    assert region.subjects.told[-1].birth_date == ""


async def test_bare_issuer_of_google_is_accepted(region: Region) -> None:
    arjun = await region.sign_up("arjun", country="DE")
    assert (await region.sign_in("arjun")).session.account == arjun.account


async def test_email_counts_as_verified_only_from_its_authority(region: Region) -> None:
    verification = {}
    for person in ("anna", "pieter", "sofia", "dmitri"):
        outcome = await region.sign_in(person)
        verification[person] = next(
            item.verification for item in outcome.registration.suggestions if item.field == EMAIL
        )
    assert verification == {
        "anna": VERIFIED,  # a mailbox of the provider's own
        "pieter": VERIFIED,  # of a domain that it hosts
        "sofia": UNVERIFIED,  # it says itself that it has not verified
        "dmitri": VERIFIED,
    }


async def test_links_facebook_sees_both_and_unlinks_one(region: Region) -> None:
    anna = await region.sign_up("anna", imports=[NICKNAME])
    region.bench.clock.advance(timedelta(seconds=1))
    linked = await region.link(anna, "anna", imports=(NICKNAME, PICTURE, EMAIL))
    assert linked.link.provider_title == "Facebook"
    values = {item.field: item for item in linked.link.imports}
    assert values[EMAIL].verification == UNVERIFIED  # Facebook never says that it verified

    listed = await region.listed(anna)
    allowed = account_pb2.Link.UNLINKING_ALLOWED
    assert [(link.provider, link.unlinking) for link in listed.links] == [
        ("google", allowed),
        ("facebook", allowed),
    ]
    account = await own_account(region, anna)
    assert {item.field: item.provider for item in account.profile} == {
        NICKNAME: "facebook",
        PICTURE: "facebook",
        EMAIL: "facebook",
    }

    request_id = str(uuid4())
    await unlink(region, anna, linked.link.name, request_id)
    await unlink(region, anna, linked.link.name, request_id)  # the same answer, not NOT_FOUND
    account = await own_account(region, anna)
    assert [(item.field, item.provider) for item in account.profile] == [(NICKNAME, "google")]

    remaining = (await region.listed(anna)).links
    assert [link.unlinking for link in remaining] == [account_pb2.Link.UNLINKING_LAST_SIGN_IN]
    fault = await refusal(unlink(region, anna, remaining[0].name))
    assert fault.reason == "LAST_SIGN_IN"


async def test_facebook_without_email_is_enough(region: Region) -> None:
    outcome = await region.sign_in("arjun", "facebook")
    assert {item.field for item in outcome.registration.suggestions} == {NICKNAME, PICTURE}


async def test_links_are_paged_and_a_page_token_is_good_for_its_list_alone(region: Region) -> None:
    anna = await region.sign_up("anna")
    region.bench.clock.advance(timedelta(seconds=1))
    await region.link(anna, "anna")
    request = link_service_pb2.ListLinksRequest(parent=anna.account, page_size=1)
    first = await region.links.ListLinks(request, metadata=anna.metadata)
    request.page_token = first.next_page_token
    second = await region.links.ListLinks(request, metadata=anna.metadata)
    assert [link.provider for link in (*first.links, *second.links)] == ["google", "facebook"]
    assert second.next_page_token == ""

    pieter = await region.sign_up("pieter")
    theirs = link_service_pb2.ListLinksRequest(
        parent=pieter.account, page_token=first.next_page_token
    )
    fault = await refusal(region.links.ListLinks(theirs, metadata=pieter.metadata))
    assert fault.reason == "PAGE_TOKEN_INVALID"


async def test_linking_again_renews_the_imports(region: Region) -> None:
    anna = await region.sign_up("anna")
    first = await region.link(anna, "anna")
    second = await region.link(anna, "anna", imports=(NICKNAME,))
    assert second.link.name == first.link.name
    assert [item.field for item in second.link.imports] == [NICKNAME]


async def test_a_repeated_registration_gets_the_same_answer(region: Region) -> None:
    outcome = await region.sign_in("anna")
    form = registration_form(outcome.registration.secret)
    first = await region.sessions.Register(form)
    second = await region.sessions.Register(form)
    assert second.session.secret == first.session.secret
    assert second.session.account == first.session.account


async def test_a_registration_survives_a_reload_of_its_page(region: Region) -> None:
    outcome = await region.sign_in("anna")
    shown = await region.sessions.GetRegistration(
        pb.GetRegistrationRequest(registration_secret=outcome.registration.secret)
    )
    assert shown.registration == outcome.registration


async def test_a_session_ends_when_idle(region: Region) -> None:
    anna = await region.sign_up("anna")
    region.bench.clock.advance(session.IDLE)
    assert (await refusal(region.signed(anna.secret))).reason == "SESSION_INVALID"


async def test_a_session_stays_while_used_and_ends_after_a_day_all_the_same(
    region: Region,
) -> None:
    anna = await region.sign_up("anna")
    hours = 0
    while hours < 23:
        region.bench.clock.advance(timedelta(hours=1))
        hours += 1
        await region.signed(anna.secret)
    region.bench.clock.advance(timedelta(hours=1))
    assert (await refusal(region.signed(anna.secret))).reason == "SESSION_INVALID"


async def test_signing_out_ends_the_session(region: Region) -> None:
    anna = await region.sign_up("anna")
    await region.sessions.EndSession(pb.EndSessionRequest(session_secret=anna.secret))
    await region.sessions.EndSession(pb.EndSessionRequest(session_secret=anna.secret))
    assert (await refusal(region.signed(anna.secret))).reason == "SESSION_INVALID"


async def test_invariant_3_every_state_change_is_on_its_way_to_the_log_exactly_once(
    region: Region,
) -> None:
    anna = await region.sign_up("anna", imports=[EMAIL])
    linked = await region.link(anna, "anna")
    await unlink(region, anna, linked.link.name)
    await region.sessions.EndSession(pb.EndSessionRequest(session_secret=anna.secret))
    events = audit_events(region.database)
    assert [event["action"] for event in events] == [
        "account:account:register",
        "account:link:add",
        "account:session:begin",
        "account:key:create",
        "account:link:add",
        "account:link:remove",
        "account:session:end",
    ]
    assert "anna" not in json.dumps(events).lower()
