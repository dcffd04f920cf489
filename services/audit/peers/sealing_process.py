"""Seals large groups in a process beside this one: Python runs one thread at a time in each.

The other process is started when a group is worth it, and ends by itself when none has come for a
while: with it goes what it knew of keys. It speaks over one socket alone, its standard input, and
ends with that, so none is left behind. Whatever goes wrong with it costs time and nothing else: the
group is sealed here, as those are that come while it starts.
"""

import asyncio
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from runtime import logs
from runtime.fault import Fault
from services.audit.domain.entry import Leaf
from services.audit.domain.ports import Job, Sealing

log = logs.get(__name__)

_LARGE = 64 << 10  # bytes that are worth the way there and back: about a hundred decisions
_START_S, _SEAL_S = 30.0, 10.0
_PAUSE_S = 10.0  # between the starts of two
_IDLE_S = 60.0  # without a group, after which it ends
_LIMIT = 1 << 20  # bytes that are read ahead
_SIZE = struct.Struct(">Q")

Sealed = Sequence[Sequence[Leaf] | Fault]


@dataclass(frozen=True)
class Told:
    """What the other process must know. It may hold a password: never an argument."""

    region: str
    log_level: str
    origin: str
    key_database: str
    kek_directory: str
    code: str  # digest of what makes an entry's bytes, as this process has loaded it


class SealingProcess:
    """Seals there when it is worth it, `here` otherwise. For one caller at a time."""

    def __init__(self, here: Sealing, told: Told) -> None:
        self._here = here
        self._told = told
        self._other: _Other | None = None
        self._starting: asyncio.Task[None] | None = None
        self._start_at = 0.0  # on the loop's clock

    async def __call__(self, jobs: Sequence[Job]) -> Sealed:
        """Seal the rest of each batch, or say why it is refused as a whole."""
        if sum(len(job.wire) for job in jobs) < _LARGE:
            return await self._here(jobs)
        if self._other is not None and self._other.has_ended:  # nobody asked for a while
            await self._end()
        if self._other is None:
            self._begin()
            return await self._here(jobs)
        try:
            async with asyncio.timeout(_SEAL_S):
                answers = await self._other.pipe.ask(jobs)
            sealed: Sealed = [pickle.loads(each) for each in answers]  # noqa: S301  as `read`
            _check(jobs, sealed)
        except Exception as error:  # noqa: BLE001  whatever it is, here it may go well
            log.warning("the process that seals has failed", reason=type(error).__name__)
            await self._end()
            return await self._here(jobs)
        except BaseException:
            await self._end()  # else the next would get the answer to this
            raise
        return sealed

    async def close(self) -> None:
        """End the other process, if there is one."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._end()

    def _begin(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._starting is None and now >= self._start_at:
            self._start_at = now + _PAUSE_S
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)

    async def _start(self) -> None:
        """Start the process; it counts when it has answered."""
        other = await _Other.start()
        try:
            async with asyncio.timeout(_START_S):
                if await other.pipe.ask(self._told) != self._told.code:
                    # Upgraded in place: its leaves would be signed by who may not read them.
                    raise RuntimeError("it runs other code than this process")  # noqa: TRY301  it ends as any that fails
        except BaseException:
            await other.end()
            raise
        self._other = other

    def _started(self, starting: "asyncio.Task[None]") -> None:
        self._starting = None
        if not starting.cancelled() and (error := starting.exception()):
            log.warning("the process that seals did not start", reason=type(error).__name__)

    async def _end(self) -> None:
        other, self._other = self._other, None
        if other is not None:
            await other.end()


async def answer(make: Callable[[Told], AbstractAsyncContextManager[Sealing]], code: str) -> None:
    """Be the other process: seal until nobody asks any more."""
    pipe = await _Pipe.over(socket.socket(fileno=sys.stdin.fileno()))
    try:
        async with make(await pipe.read()) as seal:
            await pipe.say(code)
            while True:
                async with asyncio.timeout(_IDLE_S):
                    jobs = await pipe.read()
                # Each by itself: what pickle remembers of thousands costs more than it spares.
                await pipe.say([pickle.dumps(each, protocol=5) for each in await seal(jobs)])
    except (OSError, EOFError, TimeoutError):
        return  # whoever asked has ended, or has nothing to ask
    except Exception:
        # Told without its message, which may quote the key database.
        log.exception("the process that seals has failed")
        raise SystemExit(1) from None
    finally:
        pipe.close()


def _check(jobs: Sequence[Job], sealed: Sealed) -> None:
    """Raise ValueError unless each job has an answer, whole."""
    if any(
        not isinstance(leaves, Fault) and len(leaves) != job.fresh
        for job, leaves in zip(jobs, sealed, strict=True)
    ):
        raise ValueError("it has sealed other entries than it was asked to")


class _Pipe:
    """What two of our own processes say to each other, one in turn."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.close = writer.close

    @classmethod
    async def over(cls, end: socket.socket) -> "_Pipe":
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LIMIT))

    async def ask(self, said: object) -> Any:  # noqa: ANN401  whatever the other process answers
        await self.say(said)
        return await self.read()

    async def say(self, said: object) -> None:
        content = pickle.dumps(said, protocol=5)
        self._writer.write(_SIZE.pack(len(content)))
        self._writer.write(content)
        await self._writer.drain()

    async def read(self) -> Any:  # noqa: ANN401  whatever the other process says
        (size,) = _SIZE.unpack(await self._reader.readexactly(_SIZE.size))
        return pickle.loads(await self._reader.readexactly(size))  # noqa: S301  of our own process


class _Other:
    """The other process, and what is said to it."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: _Pipe) -> None:
        self._process = process
        self.pipe = pipe

    @classmethod
    async def start(cls) -> "_Other":
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220  our own module; returns at once
                # -P: the directory that we run in may be one that others write to.
                [sys.executable, "-P", "-m", "services.audit", "seal"],
                stdin=theirs.fileno(),
                start_new_session=True,  # what the terminal is told is not for it
            )
        return cls(process, await _Pipe.over(ours))

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    async def end(self) -> None:
        self.pipe.close()
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
