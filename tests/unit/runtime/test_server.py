"""The server refuses whoever its rules do not name, and says precisely why."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from accord.type.v1 import callers_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2
from google.protobuf.descriptor import ServiceDescriptor
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

import runtime.server
from runtime.actor import Verifier
from runtime.authority import Authority
from runtime.call import Call
from runtime.errors import from_error
from runtime.fault import Fault, invalid
from runtime.policy import PolicyError
from runtime.server import MAX_DEADLINE_S, Server
from runtime.settings import GrpcSettings
from runtime.testing import NOON, Bench, serving

KINDS = ("One", "Many", "Collect", "Echo")


def service(**rules: callers_pb2.Callers | None) -> ServiceDescriptor:
    """Describe a service with one method of each kind; a rule of None leaves the option out."""
    file = descriptor_pb2.FileDescriptorProto(
        name="test/kinds.proto", package="test", syntax="proto3"
    )
    file.dependency.append("google/protobuf/wrappers.proto")
    kinds = file.service.add(name="Kinds")
    default = callers_pb2.Callers(services=["portal"], apps=True)
    for name in KINDS:
        method = kinds.method.add(
            name=name,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=name in ("Collect", "Echo"),
            server_streaming=name in ("Many", "Echo"),
        )
        rule = rules.get(name, default)
        if rule is not None:
            method.options.Extensions[callers_pb2.callers].CopyFrom(rule)
    pool = descriptor_pool.DescriptorPool()
    for known in (descriptor_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR):
        pool.AddSerializedFile(known.serialized_pb)
    pool.AddSerializedFile(callers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool.FindServiceByName("test.Kinds")


class Kinds:
    """One method of each kind; what it does depends on the text it gets."""

    async def one(self, request: wrappers_pb2.StringValue, call: Call) -> wrappers_pb2.StringValue:
        match request.value:
            case "bug":
                raise ZeroDivisionError("jan@example.org divided by zero")
            case "fault":
                raise invalid("value", "must not be fault")
            case "hang":
                await asyncio.Event().wait()
            case "who":
                actor = call.actor.subject if call.actor else ""
                return wrappers_pb2.StringValue(value=f"{call.caller.name} {actor}")
        return request

    async def many(
        self, request: wrappers_pb2.StringValue, _call: Call
    ) -> AsyncIterator[wrappers_pb2.StringValue]:
        for letter in request.value:
            yield wrappers_pb2.StringValue(value=letter)

    async def collect(
        self, requests: AsyncIterator[wrappers_pb2.StringValue], _call: Call
    ) -> wrappers_pb2.StringValue:
        return wrappers_pb2.StringValue(value="".join([r.value async for r in requests]))

    async def echo(
        self, requests: AsyncIterator[wrappers_pb2.StringValue], _call: Call
    ) -> AsyncIterator[wrappers_pb2.StringValue]:
        async for request in requests:
            yield request


@pytest.fixture
def region(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def server_of(region: Bench, described: ServiceDescriptor) -> Server:
    return Server(
        region.settings(GrpcSettings, "sharing"),
        "sharing",
        clock=region.clock,
        actor_keys=region.actor_keys,
        traces=region.traces,
    ).add(described, Kinds())


def text(value: str) -> bytes:
    return wrappers_pb2.StringValue(value=value).SerializeToString()


async def one(channel: grpc.aio.Channel, raw: bytes, **more: Any) -> str:
    call: Callable[..., Any] = channel.unary_unary("/test.Kinds/One")
    try:
        return wrappers_pb2.StringValue.FromString(await call(raw, timeout=5, **more)).value
    except grpc.aio.AioRpcError as error:
        raise from_error(error, "sharing") from None


async def reason(channel: grpc.aio.Channel, raw: bytes, **more: Any) -> str:
    with pytest.raises(Fault) as caught:
        await one(channel, raw, **more)
    return caught.value.reason


async def test_each_kind_of_method_is_served_to_those_named(region: Bench) -> None:
    server = server_of(region, service())
    async with serving(server), region.client(server, "sharing", "app/mi-store") as channel:
        assert await one(channel, text("hello")) == "hello"
        wire: Any = channel
        many = [raw async for raw in wire.unary_stream("/test.Kinds/Many")(text("ab"))]
        assert many == [text("a"), text("b")]
        collect = await wire.stream_unary("/test.Kinds/Collect")(iter([text("a"), text("b")]))
        assert collect == text("ab")
        echo = [raw async for raw in wire.stream_stream("/test.Kinds/Echo")(iter([text("x")]))]
        assert echo == [text("x")]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_method_refuses_those_not_named(region: Bench, kind: str) -> None:
    server = server_of(region, service(**{kind: callers_pb2.Callers(services=["account"])}))
    async with serving(server), region.client(server, "sharing", "svc/portal") as channel:
        wire: Any = channel
        path = f"/test.Kinds/{kind}"
        calls: dict[str, Callable[[], Any]] = {
            "One": lambda: wire.unary_unary(path)(text("a")),
            "Many": lambda: wire.unary_stream(path)(text("a")).read(),
            "Collect": lambda: wire.stream_unary(path)(iter([text("a")])),
            "Echo": lambda: wire.stream_stream(path)(iter([text("a")])).read(),
        }
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await calls[kind]()
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert from_error(refused.value, "sharing").reason == "CALLER_NOT_ALLOWED"


async def test_a_method_without_callers_does_not_start(region: Bench) -> None:
    with pytest.raises(PolicyError, match=r"test\.Kinds\.Many names no callers"):
        server_of(region, service(Many=None))
    with pytest.raises(PolicyError, match="admits nobody"):
        server_of(region, service(Many=callers_pb2.Callers()))


async def test_bad_input_is_answered_by_its_kind(region: Bench) -> None:
    server = server_of(region, service())
    async with serving(server), region.client(server, "sharing", "app/mi-store") as channel:
        assert await reason(channel, b"\x0a\x02\xff\xfe") == "MALFORMED_MESSAGE"  # not UTF-8
        assert await reason(channel, b"\x0a\xff") == "MALFORMED_MESSAGE"  # truncated
        assert await reason(channel, text("fault")) == "INVALID_FIELD"
        assert await reason(channel, text("x" * (1 << 20))) == "OVERLOADED"
        with pytest.raises(Fault) as bug:
            await one(channel, text("bug"))
        assert bug.value.reason == "INTERNAL"
        assert "jan" not in bug.value.message
        assert await one(channel, text("still here")) == "still here"


async def test_a_deadline_is_reported_by_us_before_the_caller_gives_up(region: Bench) -> None:
    server = server_of(region, service())
    async with serving(server), region.client(server, "sharing", "app/mi-store") as channel:
        call: Callable[..., Any] = channel.unary_unary("/test.Kinds/One")
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await call(text("hang"), timeout=0.3)
        assert from_error(late.value, "sharing").reason == "DEADLINE_TOO_SHORT"


@pytest.mark.parametrize(
    ("stated", "refused"), [(0.025, True), (0.0, True), (5.0, False), (None, False)]
)
def test_work_that_cannot_be_answered_in_time_is_not_begun(
    stated: float | None, refused: bool
) -> None:
    if refused:
        with pytest.raises(Fault, match="DEADLINE_TOO_SHORT"):
            runtime.server._deadline(stated)
    else:
        assert 0 < runtime.server._deadline(stated) - time.monotonic() <= MAX_DEADLINE_S


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://account.in.accord.internal"},
        {"exp": int((NOON + timedelta(hours=1)).timestamp())},
        {"roles": ["person", "root"]},
        {"sub": None},
        {"aud": "sharing"},
        {"iat": "now"},
    ],
)
async def test_a_signed_token_with_a_wrong_claim_is_refused(
    region: Bench, wrong: dict[str, Any]
) -> None:
    good = jwt.decode(
        region.token("accounts/nl-0", "person", audience="sharing"), region.actor_key
    ).claims
    verifier = Verifier("nl", "sharing", region.actor_keys, region.clock)

    def signed(claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "kid": "test"}, claims, region.actor_key)

    assert (await verifier.verify(signed(good))).subject == "accounts/nl-0"
    with pytest.raises(Fault, match="ACTOR_INVALID"):
        await verifier.verify(signed(good | wrong))


async def test_a_key_that_account_withdrew_is_soon_not_believed(
    region: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [KeySet([region.actor_key])]

    async def source() -> KeySet:
        return shown[0]

    verifier = Verifier("nl", "sharing", source, region.clock)
    token = region.token("accounts/nl-0", "person", audience="sharing")
    assert (await verifier.verify(token)).subject == "accounts/nl-0"
    shown[0] = KeySet([ECKey.generate_key("P-256", {"kid": "new", "use": "sig"})])
    assert (await verifier.verify(token)).subject == "accounts/nl-0"
    monkeypatch.setattr("runtime.actor._STALE_S", 0)
    monkeypatch.setattr("runtime.actor._REFETCH_S", 0)
    with pytest.raises(Fault, match="ACTOR_INVALID"):
        await verifier.verify(token)


async def test_actor_tokens_are_believed_only_whole(region: Bench) -> None:
    rule = callers_pb2.Callers(services=["portal"], apps=True, actors=[callers_pb2.ROLE_PERSON])
    server = server_of(region, service(One=rule))
    person = "accounts/nl-00000000000000000000000000"
    good = region.token(person, "person", audience="sharing")

    def actor(token: str) -> dict[str, Any]:
        return {"metadata": (("accord-actor", token),)}

    async with serving(server), region.client(server, "sharing", "svc/portal") as channel:
        assert await one(channel, text("who"), **actor(good)) == f"portal {person}"
        assert await reason(channel, text("who")) == "ACTOR_REQUIRED"
        officer = region.token(person, "officer", audience="sharing")
        assert await reason(channel, text("who"), **actor(officer)) == "ACTOR_ROLE_MISSING"
        elsewhere = region.token(person, "person", audience="audit")
        assert await reason(channel, text("who"), **actor(elsewhere)) == "ACTOR_INVALID"
        assert await reason(channel, text("who"), **actor(good[:-4] + "AAAA")) == "ACTOR_INVALID"
        assert await reason(channel, text("who"), **actor("x.y.z")) == "ACTOR_INVALID"
        unsigned = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
        assert await reason(channel, text("who"), **actor(unsigned)) == "ACTOR_INVALID"
        for jump in (timedelta(minutes=2), timedelta(minutes=-4)):
            region.clock.advance(jump)
            assert await reason(channel, text("who"), **actor(good)) == "ACTOR_INVALID"
    async with serving(server_of(region, service(One=rule))) as other:
        region.clock.advance(timedelta(minutes=2))
        async with region.client(other, "sharing", "app/mi-store") as app:
            assert await reason(app, text("who"), **actor(good)) == "ACTOR_INVALID"


async def test_only_certificates_of_this_trust_domain_connect(region: Bench) -> None:
    server = server_of(region, service())
    stranger = Authority.create("nl.accord.internal")
    async with serving(server):
        async with region.client(server, "sharing", "app/mi-store", stranger) as channel:
            assert await reason(channel, text("a")) == "UNAVAILABLE"  # the handshake fails
        foreign = Authority(
            "in.accord.internal", region.authority.certificate, region.authority.key
        )
        async with region.client(server, "sharing", "app/mi-store", foreign) as channel:
            assert await reason(channel, text("a")) == "IDENTITY_UNKNOWN"
        async with region.client(server, "sharing", "something/else") as channel:
            assert await reason(channel, text("a")) == "IDENTITY_UNKNOWN"


async def test_an_operator_reads_what_is_served_and_nobody_else_does(region: Bench) -> None:
    """The way outside tools ask: they have no protos of ours."""

    def ask(**question: str) -> reflection_pb2.ServerReflectionRequest:
        return reflection_pb2.ServerReflectionRequest(**question)

    known = ["accord.type.v1.Role", "grpc.health.v1.Health.Check", "accord.type.v1.Nope"]
    server = server_of(region, service())
    async with serving(server):
        async with region.client(server, "sharing", "staff/operator/olga") as channel:
            answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([ask(list_services="")] + [ask(file_containing_symbol=name) for name in known])
            )
            listed = await answers.read()
            assert [each.name for each in listed.list_services_response.service] == ["test.Kinds"]
            for name in known:
                described = await answers.read()
                files = described.file_descriptor_response.file_descriptor_proto
                assert bool(files) == (not name.endswith("Nope")), name
        async with region.client(server, "sharing", "svc/portal") as channel:
            refused = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([ask(list_services="")])
            )
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused.read()
            assert from_error(caught.value, "sharing").reason == "CALLER_NOT_ALLOWED"
