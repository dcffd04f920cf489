"""The guards of the SDK before a real service: what is permitted passes, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from accord.sharing.v1 import consent_service_pb2, decision_service_pb2
from accord.sharing.v1.watch_service_pb2 import WatchRequest
from accord.sharing.v1.watch_service_pb2_grpc import WatchServiceStub
from accord_client import blocking, guard
from accord_client.asgi import Guarded
from accord_client.cache import Ask
from accord_client.fault import Fault
from accord_client.guard import Accord
from accord_client.interceptor import BlockingGuard, guarded
from accord_client.profile import Profile
from accord_client.purpose import Purpose
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.contract.sharing.conftest import Sharing, request_id, rows, terms_of
from tests.contract.sharing.test_permits import MARKETING, advertising

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

GET = "/accord.sharing.v1.DecisionService/GetDecision"
LIST = "/accord.sharing.v1.DisclosureService/ListDisclosures"


def profile(sharing: Sharing, app: str = "mi-store") -> Profile:
    stem = sharing.bench.directory / f"app-{app}"
    sharing.bench.authority.issue(f"app/{app}").write(stem)
    return Profile(
        region="nl",
        certificate_file=stem.with_suffix(".crt"),
        key_file=stem.with_suffix(".key"),
        trust_bundle_file=sharing.bench.bundle,
        sharing_address=f"127.0.0.1:{sharing.server.port}",
    )


@asynccontextmanager
async def watched(sharing: Sharing, given: Profile | None = None) -> AsyncIterator[Accord]:
    """A client that has heard Watch."""
    async with Accord.connect(given or profile(sharing)) as accord:
        await accord.heard()
        yield accord


async def today(sharing: Sharing) -> None:
    """Let the service live now, as its clients do, with a contract for delivery in force."""
    sharing.bench.clock.set(datetime.now(UTC))
    day = sharing.bench.clock.now().date()
    first, last = str(day - timedelta(days=9)), str(day + timedelta(days=9))
    examined = {**_fields(terms_of().due_diligence), "on_date": first, "expire_date": last}
    dates = {"effective_date": first, "expire_date": last, "due_diligence": examined}
    await sharing.know_person()
    await sharing.in_force(await sharing.register(), **dates)


def _fields(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}


async def withdraw(sharing: Sharing, consent: str) -> str:
    request = consent_service_pb2.WithdrawConsentRequest(request_id=request_id(), name=consent)
    answer = await sharing.by_person("consents", "WithdrawConsent", request)
    token: str = answer.token
    return token


async def test_a_permit_is_asked_for_once_and_answers_until_it_is_withdrawn(
    sharing: Sharing,
) -> None:
    consent = await advertising(sharing)
    question = sharing.question(**MARKETING)
    async with watched(sharing) as accord:
        verdicts = [await accord.check(question) for _ in range(100)]
        assert {verdict.decision for verdict in verdicts} == {verdicts[0].decision}
        assert verdicts[0].permitted
        assert verdicts[0].obligations == ("record_disclosure",)
        assert (accord.counters.hits, accord.counters.asked) == (99, 1)
        acknowledged = await withdraw(sharing, consent), time.monotonic()
        while accord.recall(Ask(question)) is not None:
            await accord.heard()
        assert time.monotonic() - acknowledged[1] < 1.0
        denied = await accord.check(question)
        assert (denied.permitted, denied.reasons) == (False, ("CONSENT_WITHDRAWN",))
        assert accord._cache.token >= acknowledged[0]
    assert rows(sharing.url, "decisions") == 2


async def test_streams_follow_each_other_and_memory_goes_on(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_STREAM_S", 0.6)
    await advertising(sharing)
    question = sharing.question(**MARKETING)
    async with watched(sharing) as accord:
        first = await accord.check(question)
        while accord.counters.streams < 4:
            await accord.heard()
            assert (await accord.check(question)).decision == first.decision
        assert accord.counters.revoked == 0


async def test_a_denial_is_asked_again_each_time(sharing: Sharing) -> None:
    await sharing.know_person()
    await sharing.register()
    async with watched(sharing) as accord:
        for _ in range(3):
            assert not (await accord.check(sharing.question())).permitted
        assert accord.counters.asked == 3
        assert accord.counters.hits == 0


async def test_what_is_asked_badly_raises_what_sharing_says(sharing: Sharing) -> None:
    await sharing.know_person()
    async with watched(sharing) as accord:
        with pytest.raises(Fault, match="INVALID_FIELD"):
            await accord.check(sharing.question(purpose="nonsense"))


async def test_a_disclosure_is_recorded_under_its_permit(sharing: Sharing) -> None:
    await advertising(sharing)
    async with watched(sharing) as accord:
        verdict = await accord.check(sharing.question(**MARKETING))
        disclosure = await accord.disclosed(verdict, ["contact.email"], records=3)
        assert (disclosure.decision, disclosure.record_count) == (verdict.decision, 3)


async def test_threads_are_answered_from_one_memory(sharing: Sharing) -> None:
    consent = await advertising(sharing)
    question = sharing.question(**MARKETING)
    given = profile(sharing)

    def work() -> list[bool]:
        with blocking.Accord.connect(given) as accord:
            accord.heard()
            verdicts = [accord.check(question) for _ in range(20)]
            assert (accord.counters.hits, accord.counters.asked) == (19, 1)
            accord.disclosed(verdicts[0], ["contact.email"])
            withdrawn = asyncio.run_coroutine_threadsafe(withdraw(sharing, consent), loop)
            withdrawn.result()
            while accord._recall(Ask(question)) is not None:
                accord.heard()
            return [verdicts[0].permitted, accord.check(question).permitted]

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(work) == [True, False]
    assert rows(sharing.url, "disclosures") == 1


def delivery(account: Any, **more: Any) -> Purpose[Any]:
    return Purpose(
        service="mi_store",
        recipient="recipients/dhl",
        purpose="delivery",
        categories=("contact.name",),
        account=account,
        relation=lambda _: "order-1",
        **more,
    )


async def recorded(sharing: Sharing, accord: Accord) -> int:
    """How many disclosures there are once all on their way are recorded."""
    await asyncio.gather(*accord._recording)
    return rows(sharing.url, "disclosures")


async def test_a_call_leaves_only_for_a_purpose_that_is_permitted(sharing: Sharing) -> None:
    await today(sharing)
    decision = await sharing.check()
    purposes = {GET: delivery(lambda _: sharing.person)}
    refused = {GET: delivery(lambda _: sharing.officer)}
    request = decision_service_pb2.GetDecisionRequest(name=decision.name)

    async with watched(sharing) as accord:

        async def call(purposes: Any, free: tuple[str, ...] = ()) -> Any:
            channel = _channel(sharing, guarded(accord, purposes, free))
            async with channel:
                get = channel.unary_unary(
                    GET,
                    request_serializer=decision_service_pb2.GetDecisionRequest.SerializeToString,
                    response_deserializer=decision_service_pb2.GetDecisionResponse.FromString,
                )
                return await get(request, timeout=5)

        assert (await call(purposes)).decision.name == decision.name
        assert await recorded(sharing, accord) == 1
        assert (await call({}, (GET,))).decision.name == decision.name
        for given, reason in ((refused, "SUBJECT_UNKNOWN"), ({}, "PURPOSE_NOT_DECLARED")):
            with pytest.raises(grpc.aio.AioRpcError) as no:
                await call(given)
            assert no.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert reason in str(no.value.details())
            assert sharing.officer[-26:] not in str(no.value.details())
        await _streams(sharing, accord)
    assert rows(sharing.url, "disclosures") == 1


async def _streams(sharing: Sharing, accord: Accord) -> None:
    """A stream of answers passes with its purpose; none of requests passes."""
    watch = "/accord.sharing.v1.WatchService/Watch"
    async with _channel(sharing, guarded(accord, {}, (watch,))) as channel:
        stream = WatchServiceStub(channel).Watch(WatchRequest(), timeout=5)
        assert (await anext(aiter(stream))).token
        stream.cancel()
        many: Any = channel.stream_unary(LIST)
        with pytest.raises(grpc.aio.AioRpcError) as no:
            await many(iter([b""]), timeout=5)
        assert no.value.code() is grpc.StatusCode.PERMISSION_DENIED


def _channel(sharing: Sharing, interceptors: Any) -> grpc.aio.Channel:
    issued = sharing.bench.authority.issue("app/mi-store")
    credentials = grpc.ssl_channel_credentials(
        sharing.bench.authority.pem, issued.key, issued.certificate
    )
    name = f"sharing.{sharing.bench.authority.trust_domain}"
    return grpc.aio.secure_channel(
        f"127.0.0.1:{sharing.server.port}",
        credentials,
        [("grpc.ssl_target_name_override", name)],
        interceptors=interceptors,
    )


async def test_a_call_from_a_thread_leaves_only_when_it_is_permitted(sharing: Sharing) -> None:
    await today(sharing)
    decision = await sharing.check()
    issued = sharing.bench.authority.issue("app/mi-store")
    given = profile(sharing)

    def work() -> grpc.StatusCode:
        credentials = grpc.ssl_channel_credentials(
            sharing.bench.authority.pem, issued.key, issued.certificate
        )
        name = f"sharing.{sharing.bench.authority.trust_domain}"
        address = f"127.0.0.1:{sharing.server.port}"
        with (
            blocking.Accord.connect(given) as accord,
            grpc.secure_channel(
                address, credentials, [("grpc.ssl_target_name_override", name)]
            ) as plain,
        ):
            request = decision_service_pb2.GetDecisionRequest(name=decision.name)
            for who, free in ((sharing.person, ()), (sharing.officer, (GET,))):
                purposes = {GET: delivery(lambda _, who=who: who)}
                channel = grpc.intercept_channel(plain, BlockingGuard(accord, purposes, free))
                get: Any = channel.unary_unary(
                    GET, decision_service_pb2.GetDecisionRequest.SerializeToString
                )
                get(request, timeout=5)
            purposes = {GET: delivery(lambda _: sharing.officer)}
            channel = grpc.intercept_channel(plain, BlockingGuard(accord, purposes))
            get = channel.unary_unary(
                GET, decision_service_pb2.GetDecisionRequest.SerializeToString
            )
            with pytest.raises(grpc.RpcError) as no:
                get(request, timeout=5)
        code: grpc.StatusCode = no.value.code()
        return code

    assert await asyncio.to_thread(work) is grpc.StatusCode.PERMISSION_DENIED
    assert rows(sharing.url, "disclosures") == 1  # recorded before the client closed


async def test_a_handler_runs_only_for_a_purpose_that_is_permitted(sharing: Sharing) -> None:
    await today(sharing)
    ran: list[str] = []

    async def label(request: Request) -> JSONResponse:
        ran.append(request.path_params["account"])
        return JSONResponse({"duties": request.scope["accord"].obligations})

    purpose = delivery(lambda scope: f"accounts/{scope['path_params']['account']}")

    async with watched(sharing) as accord:
        guard = Middleware(Guarded, accord=accord, purpose=purpose)
        app = Starlette(routes=[Route("/labels/{account}", label, middleware=[guard])])

        async def get(account: str) -> tuple[int, str, dict[str, Any]]:
            sent: list[Any] = []
            path = f"/labels/{account.removeprefix('accounts/')}"
            scope = {"type": "http", "method": "GET", "path": path, "headers": []}

            async def send(message: Any) -> None:
                sent.append(message)

            await app(scope | {"query_string": b""}, _nothing, send)
            headers = dict(sent[0]["headers"])
            return sent[0]["status"], headers[b"content-type"].decode(), json.loads(sent[1]["body"])

        status, _, body = await get(sharing.person)
        assert (status, body) == (200, {"duties": ["record_disclosure"]})
        assert await recorded(sharing, accord) == 1
        status, kind, problem = await get(sharing.officer)
        assert (status, kind) == (403, "application/problem+json")
        assert problem["reasons"] == ["SUBJECT_UNKNOWN"]
        assert problem["decision"].startswith("decisions/")
        assert sharing.officer[-26:] not in json.dumps(problem)
        assert (await get("accounts/nobody"))[0] == 403
    assert ran == [sharing.person.removeprefix("accounts/")]
    async with watched(sharing) as accord:
        guard = Middleware(Guarded, accord=accord, purpose=purpose)
        app = Starlette(routes=[Route("/labels/{account}", label, middleware=[guard])])
        await sharing.server.stop()
        status, kind, problem = await get(sharing.officer)
        assert (status, kind) == (503, "application/problem+json")
    assert len(ran) == 1


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_a_permit_with_duties_that_nobody_fulfils_is_not_acted_on(sharing: Sharing) -> None:
    sharing.bench.clock.set(sharing.bench.clock.now())
    await sharing.know_person()
    await sharing.in_force(
        await sharing.register("lawyer", "professional_advisor"),
        purposes=["professional_advice"],
        confidentiality=True,
    )
    purpose = Purpose[Any](
        service="mi_store",
        recipient="recipients/lawyer",
        purpose="professional_advice",
        categories=("contact.name",),
        account=lambda _: sharing.person,
    )
    app = _Counting()
    async with watched(sharing) as accord:
        for fulfils, expected in ((frozenset[str](), 403), (frozenset({"confidentiality"}), 204)):
            sent: list[Any] = []

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            given = Purpose[Any](**{**purpose.__dict__, "fulfils": fulfils})
            await Guarded(app, accord, given)({"type": "http"}, _nothing, send)
            assert sent[0]["status"] == expected
        websocket: list[Any] = []

        async def close(message: Any) -> None:
            websocket.append(message)

        await Guarded(app, accord, purpose)({"type": "websocket"}, _nothing, close)
    assert websocket == [{"type": "websocket.close", "code": 1008}]
    assert app.served == 1


class _Counting:
    served = 0

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.served += 1
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
