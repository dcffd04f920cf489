"""The test kit: a throw-away CA, servers in this process over real mTLS, clients of any identity.

Everything is the real part; only the certificates are made for the occasion and the clock can be
set.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import grpc
from joserfc.jwk import ECKey, KeySet

from runtime import actor as actor_tokens
from runtime.authority import Authority
from runtime.call import Actor
from runtime.clock import SettableClock
from runtime.server import Server
from runtime.settings import ServiceSettings
from runtime.telemetry import Telemetry

ANY_PORT = "127.0.0.1:0"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

S = TypeVar("S", bound=ServiceSettings)


class Bench:
    """A region's throw-away CA, clock and actor keys, in a directory of its own."""

    def __init__(self, directory: Path, region: str = "nl", now: datetime = NOON) -> None:
        self.directory = directory
        self.region = region
        self.clock = SettableClock(now)
        self.authority = Authority.create(f"{region}.accord.internal")
        self.bundle = directory / f"{region}-bundle.pem"
        self.bundle.write_bytes(self.authority.pem)
        self.actor_key = ECKey.generate_key("P-256", {"kid": "test", "use": "sig"})
        self.traces = Telemetry("test", region, None)

    async def actor_keys(self) -> KeySet:
        """Stand where account's key set stands."""
        return KeySet([self.actor_key])

    def token(self, subject: str, *roles: str, audience: str, now: datetime | None = None) -> str:
        """Mint an actor token as account would."""
        moment = now or self.clock.now()
        actor = Actor(subject, frozenset(roles), moment)
        return actor_tokens.mint(
            self.actor_key, region=self.region, actor=actor, audiences=[audience], now=moment
        )

    def settings(self, kind: type[S], service: str, **more: object) -> S:
        """Make the settings of a service, with a certificate of its own."""
        stem = self.directory / f"svc-{service}"
        self.authority.issue(
            f"svc/{service}", dns=[f"{service}.{self.authority.trust_domain}"]
        ).write(stem)
        values: dict[str, object] = {
            "region": self.region,
            "certificate_file": stem.with_suffix(".crt"),
            "key_file": stem.with_suffix(".key"),
            "trust_bundle_file": self.bundle,
            "health_listen": ANY_PORT,
            **({"listen": ANY_PORT} if "listen" in kind.model_fields else {}),
            **({"drain_s": 1} if "drain_s" in kind.model_fields else {}),
        }
        return kind.model_validate(values | more)

    @asynccontextmanager
    async def client(
        self, server: Server, service: str, identity: str, authority: Authority | None = None
    ) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel to a server as `identity`, for example `app/mi-store`."""
        issued = (authority or self.authority).issue(identity)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self.authority.pem,
            private_key=issued.key,
            certificate_chain=issued.certificate,
        )
        name = f"{service}.{self.authority.trust_domain}"
        async with grpc.aio.secure_channel(
            f"127.0.0.1:{server.port}",
            credentials,
            options=[("grpc.ssl_target_name_override", name), ("grpc.enable_retries", 0)],
        ) as channel:
            yield channel


@contextmanager
def bench(region: str = "nl") -> Iterator[Bench]:
    """Make a Bench in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        yield Bench(Path(directory), region)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """Run a server for the length of a block."""
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
