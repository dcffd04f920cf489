"""Asks witnesses for their cosignatures, all at once (c2sp.org/tlog-witness).

What crosses a border is the log's origin, sizes, hashes and signatures. A witness that is another
region's audit service is known by that region's roots and by its name there, and sees our
certificate; any other is known as web sites are.
"""

import asyncio
import hashlib
import logging
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx

from runtime import logs
from runtime.credentials import Credentials
from runtime.telemetry import Telemetry
from runtime.trust import Regions
from services.audit.domain.checkpoint import Checkpoint, read_size
from services.audit.domain.cosignature import Cosigner
from services.audit.domain.faults import LogDamagedError, PutBackError
from services.audit.domain.log_keys import KnownLog
from services.audit.domain.note import MalformedNoteError, Verifier, VerifierKey, open_note
from services.audit.domain.policy import Policy, PolicyWitness
from services.audit.domain.ports import Cosigned, Prove
from services.audit.domain.verification import consistent
from services.audit.domain.witnessing import Presented

log = logs.get(__name__)

_DEADLINE_S = 0.75  # of one witness, both rounds: a checkpoint is to be cosigned within a second
_GRACE_S = 0.25  # for the others, once those that have answered suffice
_MAX_ANSWER = 1 << 16
_SIZE = "text/x.tlog.size"
_OURS = re.compile(r"([a-z]{2})\.accord\.internal/witness")


class _FailedError(Exception):
    """A witness did not cosign; the text is one word for metrics."""


@dataclass(frozen=True, slots=True)
class Means:
    """With what witnesses are asked."""

    credentials: Credentials
    regions: Regions | None  # the roots of other regions, if they are witnesses
    ca_file: Path | None  # roots of other witnesses besides those of the web
    traces: Telemetry

    def version(self) -> tuple[object, ...]:
        """Return what changes when a connection must be made anew."""
        regions = self.regions.version() if self.regions else ()
        return (*self.credentials.version(), *regions)

    def context(self, region: str | None) -> ssl.SSLContext:
        """Return how to know a witness: one of `region`, or any other."""
        if region is None or self.regions is None:
            context = ssl.create_default_context()
            if self.ca_file is not None:
                context.load_verify_locations(cafile=self.ca_file)
            return context
        context = ssl.create_default_context(cafile=self.regions.bundle(region))
        context.load_cert_chain(self.credentials.certificate_file, self.credentials.key_file)
        return context


class HttpsWitnesses:
    """`domain.ports.Witnesses`: those of a policy that have an address."""

    def __init__(
        self,
        policy: Policy,
        known: KnownLog,
        means: Means,
        verifier: Callable[[VerifierKey], Verifier],
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        """Take the policy of a log; ValueError for an address that is not https."""
        self._policy = policy
        self._deadline_s = deadline_s
        self._asked = [
            _Witness(each, known, means, Cosigner(verifier(each.key)))
            for each in policy.witnesses
            if each.url
        ]
        # httpx writes whole addresses at INFO.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)

    async def cosign(self, checkpoint: Checkpoint, prove: Prove) -> Cosigned:
        """Ask everyone who is not still being asked; wait for all of them, or for enough.

        Whoever is late finishes by himself, so that his connection and his size are not lost.
        """
        asked = {
            witness.ask(checkpoint, prove, self._deadline_s): witness.name
            for witness in self._asked
            if witness.idle
        }
        pending = set(asked)
        lines: dict[str, str] = {}
        satisfied = self._policy.satisfied_by(lines)
        until = time.monotonic() + (_GRACE_S if satisfied else self._deadline_s)
        while pending and (left := until - time.monotonic()) > 0:
            done, pending = await asyncio.wait(
                pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            lines |= {asked[task]: line for task in done if (line := task.result())}
            if not satisfied and self._policy.satisfied_by(lines):
                satisfied, until = True, min(until, time.monotonic() + _GRACE_S)
        note = checkpoint.note + "".join(lines[name] for name in asked.values() if name in lines)
        return Cosigned(note, satisfied)

    async def close(self) -> None:
        """Let go of the connections."""
        for witness in self._asked:
            await witness.close()


class _Witness:
    """One witness: its connection, and what it has seen of us as far as we know."""

    def __init__(
        self, witness: PolicyWitness, known: KnownLog, means: Means, cosigner: Cosigner
    ) -> None:
        address = (witness.url or "").rstrip("/")
        url = httpx.URL(f"{address}/add-checkpoint")
        if url.scheme != "https" or not url.host:
            raise ValueError(f"the witness {witness.name!a} has no https address")
        self.name = witness.name
        self._name = witness.key.name
        self._url = url
        self._known = known
        self._shown = httpx.URL(
            f"{address}/{hashlib.sha256(known.origin.encode()).hexdigest()}/checkpoint"
        )
        match = _OURS.fullmatch(self._name)
        if match and means.regions is None:
            raise ValueError(f"the witness {witness.name!a} is a region, whose roots are not known")
        self._region = match[1] if match else None
        self._means = means
        self._cosigner = cosigner
        self._client: httpx.AsyncClient | None = None
        self._version: tuple[object, ...] = ()
        self._size = 0  # of what it has cosigned last; it says so when this is wrong
        self._task: asyncio.Task[str | None] | None = None
        self._state = ""

    @property
    def idle(self) -> bool:
        """Tell whether it can be asked: it is asked one thing at a time."""
        return self._task is None or self._task.done()

    def ask(
        self, checkpoint: Checkpoint, prove: Prove, deadline_s: float
    ) -> "asyncio.Task[str | None]":
        """Begin to ask; the result is the cosignature line, None when there is none.

        LogDamagedError when the question before, whose answer was late, has found the log so.
        """
        before, self._task = self._task, None
        if before is not None:
            before.result()
        self._task = asyncio.create_task(self._ask(checkpoint, prove, deadline_s))
        return self._task

    async def close(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _ask(self, checkpoint: Checkpoint, prove: Prove, deadline_s: float) -> str | None:
        began = time.monotonic()
        line = None
        try:
            async with asyncio.timeout(deadline_s):
                line = await self._rounds(checkpoint, prove)
            outcome = "cosigned"
        except _FailedError as failure:
            outcome = str(failure)
        except TimeoutError:
            outcome = "timeout"
        except httpx.HTTPError as error:
            outcome = "tls_failed" if _of_tls(error) else "unreachable"
        except LogDamagedError:  # the proof cannot be made, or another history is signed
            raise
        except Exception as error:  # noqa: BLE001  a file, say: the log goes on without this one
            outcome = f"not_asked_{type(error).__name__}"
        self._means.traces.asked(self._name, outcome, time.monotonic() - began)
        if outcome != self._state:
            self._state = outcome
            say = log.info if outcome == "cosigned" else log.warning
            say("witness", address=self._name, state=outcome)
        return line

    async def _rounds(self, checkpoint: Checkpoint, prove: Prove) -> str:
        """Ask with the size that it should have seen, and once more with the one that it has."""
        answer = await self._present(checkpoint, prove)
        if answer.status == HTTPStatus.CONFLICT and answer.kind == _SIZE:
            self._size = _read_size(answer.body)
            if self._size > checkpoint.size:
                # It has cosigned what is not in this log any more: somebody has put the log back.
                self._means.traces.alarm("witness_is_ahead")
                await self._compare(checkpoint, prove)
                raise _FailedError("ahead")
            answer = await self._present(checkpoint, prove)
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            await self._compare(checkpoint, prove)
        if answer.status != HTTPStatus.OK:
            raise _FailedError(f"status_{answer.status}")
        try:
            opened = open_note(f"{checkpoint.text}\n{answer.body.decode()}", [self._cosigner])
        except (UnicodeDecodeError, MalformedNoteError):
            raise _FailedError("wrong_cosignature") from None
        self._size = checkpoint.size
        return opened.signatures[0].line

    async def _compare(self, checkpoint: Checkpoint, prove: Prove) -> None:
        """Look at what it has cosigned: LogDamagedError when that is ours, and not of this history.

        It counts by our own signature: no witness can stop a log with its word alone.
        """
        answer = await self._send("GET", self._shown)
        try:
            seen = Checkpoint.read(answer.body.decode(), self._known)
        except (UnicodeDecodeError, MalformedNoteError):
            return
        if seen.size > checkpoint.size:
            raise PutBackError(
                seen.size,
                f"the witness {self.name} holds a checkpoint of {seen.size} entries with the "
                f"signature of this log, which has {checkpoint.size}: it was put back. Do not go "
                "on from here: restore what was lost, or make the database anew from the tiles "
                "with `python -m services.audit rebuild`",
            )
        if seen.size == checkpoint.size:
            same = seen.root == checkpoint.root
        else:
            proof = await prove(seen.size, checkpoint.size) if seen.size else ()
            same = not seen.size or consistent(
                seen.size, checkpoint.size, seen.root, checkpoint.root, proof
            )
        if not same:
            raise LogDamagedError(
                f"the witness {self.name} holds a checkpoint of {seen.size} entries with the "
                "signature of this log, which are not its first ones: there are two histories. "
                "Do not go on from here: keep both, and restore the one that was cosigned"
            )

    async def _present(self, checkpoint: Checkpoint, prove: Prove) -> "_Answer":
        old = min(self._size, checkpoint.size)
        proof = await prove(old, checkpoint.size) if 0 < old < checkpoint.size else ()
        body = str(Presented(old, tuple(proof), checkpoint.note)).encode()
        try:
            return await self._send("POST", self._url, body)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # The connection had come to its age when it was used again.
            return await self._send("POST", self._url, body)

    async def _send(self, method: str, url: httpx.URL, body: bytes | None = None) -> "_Answer":
        client = await self._connected()
        extensions = (
            {"sni_hostname": f"audit.{self._region}.accord.internal"} if self._region else {}
        )
        async with client.stream(method, url, content=body, extensions=extensions) as response:
            answer = bytearray()
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) > _MAX_ANSWER:
                    raise _FailedError("answer_too_large")
            kind = response.headers.get("content-type", "")
            return _Answer(response.status_code, kind.partition(";")[0].strip(), bytes(answer))

    async def _connected(self) -> httpx.AsyncClient:
        """Return the client of now: made anew when certificate or roots were."""
        version = self._means.version()
        if self._client is None or version != self._version:
            if self._client is not None:
                await self._client.aclose()
            self._client = httpx.AsyncClient(
                verify=self._means.context(self._region),
                timeout=None,  # noqa: S113  the whole of it has a deadline
                follow_redirects=False,
                trust_env=False,
                headers={
                    "content-type": "text/plain; charset=utf-8",
                    "accept-encoding": "identity",
                },
            )
            self._version = version
        return self._client


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    kind: str  # of media
    body: bytes


def _read_size(body: bytes) -> int:
    try:
        return read_size(body.decode().removesuffix("\n"))
    except (UnicodeDecodeError, MalformedNoteError):
        raise _FailedError("wrong_size") from None


def _of_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
