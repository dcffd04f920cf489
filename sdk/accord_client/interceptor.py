"""gRPC client interceptors that let a call leave only while sharing permits what it shares.

.. code-block:: python

    purposes = {"/dhl.v1.Labels/Print": Purpose(...)}
    grpc.aio.secure_channel(address, credentials, interceptors=guarded(accord, purposes))
    grpc.intercept_channel(channel, BlockingGuard(accord, purposes))

Every method of the channel is declared, with a purpose or as one of ``free``, which share nothing:
others are refused. So are streams of requests, which name nobody before they have begun. A refused
call fails with PERMISSION_DENIED, and with UNAVAILABLE when sharing is away; its details name the
reasons. A call that leaves is recorded as a disclosure, however it ends: what was sent was sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import grpc
from grpc.aio import AioRpcError, ClientInterceptor, Metadata

from accord_client import blocking
from accord_client.failure import VerificationError
from accord_client.fault import Fault
from accord_client.guard import Accord
from accord_client.purpose import Purpose, Refused, refusal, require

Purposes = Mapping[str, Purpose[Any]]
Details = Any  # grpc.ClientCallDetails, of either kind
Continuation = Callable[[Details, Any], Any]


def guarded(
    accord: Accord, purposes: Purposes, free: Collection[str] = ()
) -> Sequence[ClientInterceptor]:
    """The interceptors of a grpc.aio channel; methods are named ``/package.Service/Method``."""
    kinds = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    return [kind(accord, purposes, frozenset(free)) for kind in kinds]


class _Guard:
    """What a call has to pass on the event loop."""

    def __init__(self, accord: Accord, purposes: Purposes, free: frozenset[str]) -> None:
        self._accord = accord
        self._purposes = purposes
        self._free = free

    async def _unary(self, continuation: Continuation, details: Details, request: object) -> Any:  # noqa: ANN401  a call of grpc's, of any kind
        method = _name(details)
        if method in self._free:
            return await continuation(details, request)
        with _refusing():
            purpose = _purpose(self._purposes, method)
            verdict = require(await self._accord.check(purpose.question(request)), purpose)
        call = await continuation(details, request)
        self._accord.disclosed_soon(verdict, purpose.categories)
        return call

    async def _stream(self, continuation: Continuation, details: Details, requests: object) -> Any:  # noqa: ANN401  the same
        if _name(details) not in self._free:
            with _refusing():
                raise Refused(("PURPOSE_NOT_DECLARED",))
        return await continuation(details, requests)


class _UnaryUnary(_Guard, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Details, request: object
    ) -> Any:  # noqa: ANN401  the same
        return await self._unary(continuation, client_call_details, request)


class _UnaryStream(_Guard, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Details, request: object
    ) -> Any:  # noqa: ANN401  the same
        return await self._unary(continuation, client_call_details, request)


class _StreamUnary(_Guard, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: Details, request_iterator: object
    ) -> Any:  # noqa: ANN401  the same
        return await self._stream(continuation, client_call_details, request_iterator)


class _StreamStream(_Guard, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: Details, request_iterator: object
    ) -> Any:  # noqa: ANN401  the same
        return await self._stream(continuation, client_call_details, request_iterator)


class BlockingGuard(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """What a call has to pass in threads."""

    def __init__(
        self, accord: blocking.Accord, purposes: Purposes, free: Collection[str] = ()
    ) -> None:
        self._accord = accord
        self._purposes = purposes
        self._free = frozenset(free)

    def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Details, request: object
    ) -> Any:  # noqa: ANN401  a call of grpc's, of any kind
        """Let a call leave that is permitted."""
        method = _name(client_call_details)
        if method in self._free:
            return continuation(client_call_details, request)
        with _refusing():
            purpose = _purpose(self._purposes, method)
            verdict = require(self._accord.check(purpose.question(request)), purpose)
        call = continuation(client_call_details, request)
        self._accord.disclosed_soon(verdict, purpose.categories)
        return call

    intercept_unary_stream = intercept_unary_unary

    def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: Details, request_iterator: object
    ) -> Any:  # noqa: ANN401  the same
        """Let a stream of requests leave that shares nothing."""
        if _name(client_call_details) not in self._free:
            with _refusing():
                raise Refused(("PURPOSE_NOT_DECLARED",))
        return continuation(client_call_details, request_iterator)

    intercept_stream_stream = intercept_stream_unary


def _name(details: Details) -> str:
    method = details.method
    return method.decode() if isinstance(method, bytes) else str(method)


def _purpose(purposes: Purposes, method: str) -> Purpose[Any]:
    purpose = purposes.get(method)
    if purpose is None:
        raise Refused(("PURPOSE_NOT_DECLARED",))
    return purpose


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turns a no into the error of the call."""
    try:
        yield
    except (Fault, VerificationError) as failure:
        raise _error(refusal(failure)) from failure
    except Refused as refused:
        raise _error(refused) from refused


def _error(refused: Refused) -> AioRpcError:
    code = grpc.StatusCode.UNAVAILABLE if refused.away else grpc.StatusCode.PERMISSION_DENIED
    details = f"not shared: {refused}"
    return AioRpcError(code, Metadata(), Metadata(), details=details)
