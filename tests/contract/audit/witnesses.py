"""Two sides of a border in one process: a region with a witness, and a region that asks."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.authority import Authority
from runtime.bearers import Bearers
from runtime.db import Database
from runtime.https import Https
from runtime.settings import GrpcSettings
from runtime.testing import ANY_PORT, Bench
from runtime.trust import Regions
from services.audit.api.witness import witness_application
from services.audit.cases.witness import Witness
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import COSIGNATURE
from services.audit.domain.policy import Policy
from services.audit.peers.witnesses import HttpsWitnesses, Means
from services.audit.store import LOG_MIGRATIONS
from services.audit.store.note_key import NoteKey, NoteVerifier
from services.audit.store.witnessed import StoredWitnessed
from tests.migrated import migrated
from tests.unit.audit.histories import new_log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = new_log("nl.accord.internal/audit")
TOKEN = "c" * 43


class Wire:
    """Sees, and may spoil, what goes through a door."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.bodies: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.hold: asyncio.Event | None = None
        self.spoil: Callable[[bytes], bytes] = bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers += scope["headers"]

        async def received() -> Message:
            message = await receive()
            self.bodies.append(message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message["headers"] if k != b"content-length"]
                message["headers"] = kept
            elif message.get("body"):
                message["body"] = self.spoil(message["body"])
            await send(message)

        if self.hold is not None:
            await self.hold.wait()
        await self._app(scope, received, sent)


class Region:
    """A region with a witness, and its door."""

    def __init__(self, name: str, directory: Path, roots: Path) -> None:
        self.name = name
        directory.mkdir()
        self.bench = Bench(directory, name)
        (roots / f"{name}.pem").write_bytes(self.bench.authority.pem)
        self.roots = roots
        witness = f"{name}.accord.internal/witness"
        self.key = NoteKey(witness, Ed25519PrivateKey.generate(), COSIGNATURE)
        self.settings = self.bench.settings(GrpcSettings, "audit")
        self.tokens = directory / "tokens"
        self.tokens.touch(mode=0o600)
        self.tokens.write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} elsewhere\n")
        self.time = 0.0
        self.database = Database(self._migrated(directory))
        store = StoredWitnessed(self.database, self.bench.clock)
        known = {LOG.origin: KnownLog(LOG.origin, LOG.verifiers)}
        case = Witness(known, self.key, store, self.bench.clock)
        bearers = Bearers(self.tokens, None, name)
        self.wire = Wire(witness_application(case, bearers, self.bench.traces, lambda: self.time))
        self.port = 0

    @staticmethod
    def _migrated(directory: Path) -> str:
        url = f"sqlite:///{directory / 'log.db'}"
        migrated(url, LOG_MIGRATIONS)
        return url

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def serving(self, listen: str = ANY_PORT) -> AsyncIterator[Region]:
        with Https.beside(self.settings, listen, self.wire, Regions(self.roots)) as door:
            self.port = door.port
            task = asyncio.create_task(door.run())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def client(
        self, authority: Authority | None, path: str = "svc/audit", token: str = ""
    ) -> httpx.AsyncClient:
        """Opens a client with a certificate of `authority`, or with a token."""
        context = ssl.create_default_context(cafile=self.bench.bundle)
        context.check_hostname = False
        if authority:
            stem = self.bench.directory / "client"
            authority.issue(path).write(stem)
            context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(verify=context, base_url=self.origin, headers=headers)


class Asker:
    """Region nl, whose log is to be cosigned."""

    def __init__(self, directory: Path, roots: Path) -> None:
        directory.mkdir()
        self.bench = Bench(directory, "nl")
        (roots / "nl.pem").write_bytes(self.bench.authority.pem)
        self.means = Means(
            self.bench.settings(GrpcSettings, "audit").credentials,
            Regions(roots),
            None,
            self.bench.traces,
        )
        self._witnesses: list[HttpsWitnesses] = []

    def asking(self, quorum: str, *regions: Region, deadline_s: float = 20) -> HttpsWitnesses:
        """Makes what asks the witnesses of some regions, patiently."""
        lines = [f"witness {each.name} {each.key.key} {each.origin}" for each in regions]
        lines.append(f"group some {quorum} {' '.join(each.name for each in regions)}")
        policy = Policy.parse("\n".join([*lines, "quorum some\n"]).encode())
        self._witnesses.append(HttpsWitnesses(policy, LOG, self.means, NoteVerifier, deadline_s))
        return self._witnesses[-1]

    async def close(self) -> None:
        for witnesses in self._witnesses:
            await witnesses.close()
