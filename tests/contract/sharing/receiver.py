"""An endpoint of a recipient: a small HTTP server on the loopback, which keeps what it is sent."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from joserfc import jwt

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from joserfc.jwk import KeySet


@dataclass
class Push:
    """One request: its headers in lower case, and the token that it carried."""

    path: str
    headers: dict[str, str]
    token: str

    def claims(self, keys: KeySet) -> dict[str, Any]:
        """Verify the token as a recipient does, with the keys that sharing shows."""
        decoded = jwt.decode(self.token, keys, algorithms=["ES256"])
        assert decoded.header["typ"] == "secevent+jwt"
        return dict(decoded.claims)

    @property
    def name(self) -> str:
        """The notice's name, unverified."""
        part = self.token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["jti"])


def acknowledging(push: Push) -> bytes:
    """Answer as a recipient that has understood."""
    return answer(202, json.dumps({"jti": push.name}).encode())


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Compose an answer."""
    head = [f"HTTP/1.1 {status} -", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@dataclass
class Receiver:
    """What came, in order, and how it is answered."""

    behave: Callable[[Push], bytes] = acknowledging
    port: int = 0
    came: asyncio.Queue[Push] = field(default_factory=asyncio.Queue)

    @property
    def url(self) -> str:
        """The address in plain http."""
        return f"http://127.0.0.1:{self.port}/notices"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        push = Push(head[0].split(" ")[1], headers, body.decode())
        writer.write(self.behave(push))
        await writer.drain()
        writer.close()
        self.came.put_nowait(push)


@asynccontextmanager
async def receiving(
    behave: Callable[[Push], bytes] = acknowledging, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Run an endpoint on a free port."""
    receiver = Receiver(behave)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
