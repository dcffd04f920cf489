"""How a person comes to a role of staff, and how nobody else does."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from accord.account.v1 import staff_service_pb2 as pb
from accord.type.v1 import callers_pb2

from services.account.domain import secret, staff
from tests.unit.account.harness import Region, Signed, audit_events, refusal


async def invite(region: Region, **more: object) -> pb.InviteStaffResponse:
    values: dict[str, object] = {
        "role": callers_pb2.ROLE_OFFICER,
        "display_name": "Femke Jansen",
        "request_id": str(uuid4()),
    }
    return await region.inviting.InviteStaff(pb.InviteStaffRequest(**values | more))  # type: ignore[arg-type]  # fields by name


async def accept(
    region: Region, signed: Signed, invitation: pb.InviteStaffResponse
) -> pb.AcceptInvitationResponse:
    return await region.staff.AcceptInvitation(
        pb.AcceptInvitationRequest(secret=invitation.secret), metadata=signed.metadata
    )


async def test_an_invited_person_accepts_and_acts_in_the_role(region: Region) -> None:
    invited = await invite(region)
    shown = await region.staff.GetInvitation(pb.GetInvitationRequest(secret=invited.secret))
    assert shown.invitation.display_name == "Femke Jansen"
    anna = await region.sign_up("anna")
    both = [callers_pb2.ROLE_PERSON, callers_pb2.ROLE_OFFICER]
    assert list((await accept(region, anna, invited)).roles) == both
    assert list((await accept(region, anna, invited)).roles) == both  # again: the same answer
    assert list((await region.signed(anna.secret)).answer.roles) == both
    actions = [event["action"] for event in audit_events(region.database)]
    assert actions.count("account:staff:invite") == actions.count("account:staff:accept") == 1


async def test_a_repeated_invitation_gets_the_same_secret(region: Region) -> None:
    request_id = str(uuid4())
    first, second = (
        await invite(region, request_id=request_id),
        await invite(region, request_id=request_id),
    )
    assert first == second
    fault = await refusal(invite(region, request_id=request_id, display_name="Someone else"))
    assert fault.reason == "REQUEST_ID_REUSED"


async def test_an_invitation_is_good_for_one_account(region: Region) -> None:
    invited = await invite(region)
    anna, pieter = await region.sign_up("anna"), await region.sign_up("pieter")
    await accept(region, anna, invited)
    assert (await refusal(accept(region, pieter, invited))).reason == "INVITATION_USED"
    shown = region.staff.GetInvitation(pb.GetInvitationRequest(secret=invited.secret))
    assert (await refusal(shown)).reason == "INVITATION_USED"


async def test_of_many_accounts_at_once_one_gets_the_role(region: Region) -> None:
    invited = await invite(region)
    people = [await region.sign_up(name) for name in ("anna", "pieter", "sofia", "meiling")]
    outcomes = await asyncio.gather(
        *(accept(region, person, invited) for person in people), return_exceptions=True
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1


async def test_an_invitation_expires(region: Region) -> None:
    region.bench.clock.advance(-staff.LIFE)
    invited = await invite(region)
    region.bench.clock.advance(staff.LIFE)
    anna = await region.sign_up("anna")
    assert (await refusal(accept(region, anna, invited))).reason == "INVITATION_EXPIRED"
    shown = region.staff.GetInvitation(pb.GetInvitationRequest(secret=invited.secret))
    assert (await refusal(shown)).reason == "INVITATION_EXPIRED"


async def test_a_guessed_invitation_is_unknown(region: Region) -> None:
    anna = await region.sign_up("anna")
    guess = pb.InviteStaffResponse(secret=secret.new_secret())
    assert (await refusal(accept(region, anna, guess))).reason == "INVITATION_UNKNOWN"


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": callers_pb2.ROLE_PERSON},
        {"role": callers_pb2.ROLE_UNSPECIFIED},
        {"role": 99},
        {"display_name": ""},
        {"display_name": " \t"},
        {"display_name": "x" * 101},
        {"display_name": "Femke\x00"},
        {"request_id": "4711"},
    ],
)
async def test_a_bad_invitation_names_its_field(region: Region, wrong: dict[str, object]) -> None:
    fault = await refusal(invite(region, **wrong))
    assert (fault.reason, fault.metadata) == ("INVALID_FIELD", {"field": next(iter(wrong))})


async def test_nobody_but_an_operator_invites(region: Region) -> None:
    anna = await region.sign_up("anna")
    request = pb.InviteStaffRequest(
        role=callers_pb2.ROLE_OPERATOR, display_name="Anna", request_id=str(uuid4())
    )
    fault = await refusal(region.staff.InviteStaff(request, metadata=anna.metadata))
    assert fault.reason == "CALLER_NOT_ALLOWED"


async def test_roles_of_a_person_end_with_no_session(region: Region) -> None:
    """A role is read anew for each token, so nothing but a live session carries it."""
    invited = await invite(region)
    anna = await region.sign_up("anna")
    await accept(region, anna, invited)
    region.bench.clock.advance(timedelta(days=2))
    assert (await refusal(region.signed(anna.secret))).reason == "SESSION_INVALID"
