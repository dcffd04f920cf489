"""From a method's descriptor to grpc's handler, for all four kinds of method.

Messages are decoded here and not by grpc, which would answer bytes that are no message with
INTERNAL; a caller's mistake is never INTERNAL.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from runtime.call import Call
from runtime.fault import Fault

TAKEN_S = 5.0  # how long a message of a stream may wait to be taken

# grpc's context is generic in both messages; here they are bytes, and its types say nothing more.
Context = Any
Answer = Callable[[Call], Awaitable[bytes | None]]
Serve = Callable[[Context, Answer], Awaitable[bytes | None]]


def handler(
    method: MethodDescriptor, implementation: Callable[..., Any], serve: Serve
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Make the handler of a method; `serve` is what stands around each call of it."""
    kind = message_factory.GetMessageClass(method.input_type)
    given = _stream_of(kind) if method.client_streaming else _one_of(kind)
    answer = _write_all if method.server_streaming else _return_one

    async def handle(received: object, context: Context) -> bytes | None:
        async def run(call: Call) -> bytes | None:
            return await answer(implementation(given(received), call), context)

        return await serve(context, run)

    if method.client_streaming:
        make = grpc.stream_stream_rpc_method_handler
        if not method.server_streaming:
            make = grpc.stream_unary_rpc_method_handler
    else:
        make = grpc.unary_stream_rpc_method_handler
        if not method.server_streaming:
            make = grpc.unary_unary_rpc_method_handler
    return make(handle)


def snake_case(name: str) -> str:
    """Return the servicer's name of a method: `ListEntries` is `list_entries`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _one_of(kind: type[Message]) -> Callable[[Any], Message]:
    return lambda received: _decode(kind, received)


def _stream_of(kind: type[Message]) -> Callable[[Any], AsyncIterator[Message]]:
    async def decoded(received: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for raw in received:
            yield _decode(kind, raw)

    return decoded


async def _return_one(response: Awaitable[Message], _context: Context) -> bytes:
    return (await response).SerializeToString()


async def _write_all(responses: AsyncGenerator[Message], context: Context) -> None:
    """Write until the end; a reader who takes nothing for a while is told so and let go."""
    async with aclosing(responses):
        async for response in responses:
            try:
                async with asyncio.timeout(TAKEN_S):
                    await context.write(response.SerializeToString())
            except TimeoutError:
                raise Fault("READER_TOO_SLOW", "messages of the stream were not taken") from None


def _decode(kind: type[Message], raw: bytes) -> Message:
    try:
        return kind.FromString(raw)
    except (DecodeError, ValueError):
        name = kind.DESCRIPTOR.full_name
        raise Fault("MALFORMED_MESSAGE", f"the bytes are no {name}") from None
