"""Whatever is sent to any method: a typed refusal, never INTERNAL, and nothing lost."""

from uuid import uuid4

import grpc
import pytest
from accord.account.v1 import (
    account_service_pb2,
    key_service_pb2,
    link_service_pb2,
    session_service_pb2,
    staff_service_pb2,
)
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from runtime.errors import from_error
from runtime.ids import new_account
from tests.unit.account.harness import Region, Signed, refusal, registration_form

METHODS = [
    method
    for file in (
        account_service_pb2,
        key_service_pb2,
        link_service_pb2,
        session_service_pb2,
        staff_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.name not in {"InviteStaff", "ListActorKeys"}  # the portal may not, or has no input
]
OTHER_REGION = "accounts/in-" + "0" * 26
OVERSIZED = "x" * 20_000
CONTROL = "\x00\u202e\x07"
TYPED = {
    "ACCOUNT_NOT_ACTIVE",
    "FLOW_UNKNOWN",
    "INVALID_FIELD",
    "INVITATION_UNKNOWN",
    "NOT_FOUND",
    "PROVIDER_UNKNOWN",
    "REGISTRATION_UNKNOWN",
    "SESSION_INVALID",
    "WRONG_REGION",
}


async def raw(
    region: Region, method: MethodDescriptor, request: bytes, signed: Signed
) -> tuple[str, str]:
    """Send bytes as they are; return the reason and the code."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = region.portal.unary_unary(path)
    try:
        await call(request, metadata=signed.metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        return from_error(error, "account").reason, error.code().name
    return "", "OK"


def filled(method: MethodDescriptor, text: str) -> Message:
    """Make a request whose every text is `text` and whose every enum is unknown."""
    request = message_factory.GetMessageClass(method.input_type)()
    for field in method.input_type.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            value: object = text
        elif field.type == FieldDescriptor.TYPE_ENUM:
            value = 99
        else:
            continue
        if field.is_repeated:
            getattr(request, field.name).append(value)
        else:
            setattr(request, field.name, value)
    return request


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_bad_input_is_refused_with_a_reason(region: Region, method: MethodDescriptor) -> None:
    anna = await region.sign_up("anna")
    for text in ("", OVERSIZED, CONTROL, OTHER_REGION, "accounts/../links", "google"):
        reason, code = await raw(region, method, filled(method, text).SerializeToString(), anna)
        if method.name == "ListProviders" and text == "":
            assert reason == "INVALID_FIELD"
        if (method.name, reason) != ("EndSession", ""):  # signing out twice is no error
            assert reason in TYPED, (text[:20], reason, code)
    not_utf8 = b"\x0a\x02\xff\xfe"
    assert await raw(region, method, not_utf8, anna) == ("MALFORMED_MESSAGE", "INVALID_ARGUMENT")
    truncated = b"\x0a\x7f"
    assert await raw(region, method, truncated, anna) == ("MALFORMED_MESSAGE", "INVALID_ARGUMENT")
    assert (await region.signed(anna.secret)).account == anna.account


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"request_id": "4711"}, "request_id"),
        ({"request_id": ""}, "request_id"),
        ({"country": "XX"}, "country"),
        ({"country": "nl"}, "country"),
        ({"country": ""}, "country"),
        ({"birth_date": ""}, "birth_date"),
        ({"birth_date": "1990-02-30"}, "birth_date"),
        ({"birth_date": "19900130"}, "birth_date"),
        ({"birth_date": "1899-12-31"}, "birth_date"),
        ({"birth_date": "2999-01-01"}, "birth_date"),
        ({"imports": [1, 1]}, "imports"),
        ({"imports": [0]}, "imports"),
        ({"imports": [99]}, "imports"),
        ({"language": "fr"}, "language"),
    ],
)
async def test_a_bad_form_names_its_field(
    region: Region, form: dict[str, object], field: str
) -> None:
    sealed = (await region.sign_in("anna")).registration.secret
    fault = await refusal(region.sessions.Register(registration_form(sealed, **form)))
    assert (fault.reason, [violation[0] for violation in fault.violations]) == (
        "INVALID_FIELD",
        [field],
    )
    registered = await region.sessions.Register(registration_form(sealed))
    assert registered.session.account  # the registration is not lost


async def test_another_notice_is_no_acceptance(region: Region) -> None:
    sealed = (await region.sign_in("anna")).registration.secret
    form = registration_form(sealed, accepted_notice="mi-com@2021-07-22")
    fault = await refusal(region.sessions.Register(form))
    assert fault.reason == "NOTICE_NOT_ACCEPTED"
    assert fault.metadata == {"notice": "mi-store@2025-05-20"}


async def test_a_request_id_is_good_for_one_content(region: Region) -> None:
    sealed = (await region.sign_in("anna")).registration.secret
    request_id = str(uuid4())
    await region.sessions.Register(registration_form(sealed, request_id=request_id))
    other = registration_form(sealed, request_id=request_id, country="DE")
    assert (await refusal(region.sessions.Register(other))).reason == "REQUEST_ID_REUSED"


async def test_the_portal_acts_for_nobody_without_their_token(region: Region) -> None:
    anna = await region.sign_up("anna")
    listing = link_service_pb2.ListLinksRequest(parent=anna.account)
    assert (await refusal(region.links.ListLinks(listing))).reason == "ACTOR_REQUIRED"
    forged = region.bench.token(anna.account, "person", audience="account")
    fault = await refusal(region.links.ListLinks(listing, metadata=(("accord-actor", forged),)))
    assert fault.reason == "ACTOR_INVALID"


async def test_a_token_for_an_account_that_is_gone_reaches_nothing(region: Region) -> None:
    anna = await region.sign_up("anna")
    nobody = new_account("nl")
    request = account_service_pb2.GetAccountRequest(name=nobody)
    fault = await refusal(region.accounts.GetAccount(request, metadata=anna.metadata))
    assert fault.reason == "NOT_FOUND"


async def test_a_token_is_minted_for_known_audiences_alone(region: Region) -> None:
    anna = await region.sign_up("anna")
    for audiences in ([], ["bank"], ["account", "bank"]):
        request = session_service_pb2.AuthenticateRequest(
            session_secret=anna.secret, audiences=audiences
        )
        assert (await refusal(region.sessions.Authenticate(request))).reason == "INVALID_FIELD"
