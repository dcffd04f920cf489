"""The lock that the one sequencer of a log holds. It ends with its holder; no clock is involved.

On PostgreSQL it is an advisory lock of a session of its own, whose loss is noticed when the
connection ends; both sides ask for a sign of life, so that a cut cable ends it within seconds. The
connection leads to the server itself: behind a pooler that shares sessions the lock would be
everyone's. On SQLite it is a lock on a file beside the database, which the kernel lets go of with
the process.

The lock keeps two processes from working against each other. That they cannot sign two histories,
should both believe they hold it, the store sees to: a growth is refused unless the log is of the
size that it was made on.
"""

import asyncio
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from runtime import logs
from runtime.fault import Fault
from services.audit.domain.ports import SequencerLock

log = logs.get(__name__)

_LEAVE_S = 1.0
_KEY = int.from_bytes(b"ACCORDSQ")  # locks are of one database: its log has one sequencer
_ALIVE: Mapping[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "accord-audit-sequencer",
    # The server, too, must notice that its client has gone: until then the lock is held.
    "options": (
        "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        " -c tcp_user_timeout=5000 -c idle_session_timeout=0"
    ),
}


def sequencer_lock(url: str) -> SequencerLock:
    """Return the lock of the log at a database URL."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return FileLock(Path(f"{parsed.database}-sequencer"))
    arguments = parsed.translate_connect_args(username="user", database="dbname")
    return SessionLock(make_conninfo(**{**_ALIVE, **arguments, **parsed.query}))


class FileLock:
    """A lock on a file. The file stays: were it removed, two could hold locks of one name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    async def take(self) -> bool:
        """Take the lock if it is free."""
        try:
            file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Fault("UNAVAILABLE", f"the sequencer's lock: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                return False
            raise Fault("UNAVAILABLE", f"the sequencer's lock: {error.strerror}") from error
        self._file = file
        return True

    async def lost(self) -> None:
        """Wait for ever: only the end of the process takes it away."""
        await asyncio.get_running_loop().create_future()

    async def leave(self) -> None:
        """Let go of the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SessionLock:
    """An advisory lock of a PostgreSQL session that does nothing else."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._session: psycopg.AsyncConnection[tuple[object, ...]] | None = None

    async def take(self) -> bool:
        """Take the lock if it is free; the session stays open while another holds it."""
        try:
            if self._session is None or self._session.closed:
                self._session = await psycopg.AsyncConnection.connect(
                    self._conninfo, autocommit=True
                )
            asked = await self._session.execute("SELECT pg_try_advisory_lock(%s)", (_KEY,))
            answer = await asked.fetchone()
        except psycopg.Error as error:
            await self.leave()
            raise Fault("UNAVAILABLE", "the database of the log does not answer") from error
        return answer == (True,)

    async def lost(self) -> None:
        """Listen to the silent session; it breaks when the server, or the way there, does."""
        if self._session is None:
            return
        try:
            async for _ in self._session.notifies():
                pass
        except psycopg.Error:
            return

    async def leave(self) -> None:
        """End the session, and with it the lock."""
        if self._session is not None:
            session, self._session = self._session, None
            try:
                # The server hears of a closed connection a moment later; this it answers.
                async with asyncio.timeout(_LEAVE_S):
                    await session.execute("SELECT pg_advisory_unlock_all()")
            except (psycopg.Error, TimeoutError):
                log.info("the sequencer's session had ended")
            finally:
                await session.close()
