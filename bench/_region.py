"""A small region to measure in: certificates, databases, and services as processes."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.authority import Authority
from sandbox.postgres import PostgresServer, running_postgres

NAME = "nl"
DOMAIN = f"{NAME}.accord.internal"
_ROOT = Path(__file__).parent.parent
_READY_S = 30.0
STORES = ("sqlite", "postgresql")


@dataclass
class Region:
    """Certificates and keys in a directory of its own, and the processes started from it."""

    directory: Path
    postgres: PostgresServer | None
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    each: int = 1  # processes of sharing, and of the echo, behind their ports

    @property
    def store(self) -> str:
        """Return the engine that the services keep their records in."""
        return "postgresql" if self.postgres else "sqlite"

    def url(self, database: str) -> str:
        """Return the URL of a database, made when it is first asked for."""
        if database not in self.urls:
            self.urls[database] = (
                self.postgres.url(self.postgres.create_database())
                if self.postgres
                else f"sqlite:///{self.directory / database}.db"
            )
        return self.urls[database]

    def start(self, service: str, name: str = "", settings: Mapping[str, str] | None = None) -> int:
        """Migrate and start a service as a process; return its port.

        `name` tells replicas of one service apart; they share its database.
        """
        name = name or service
        port = free_port()
        environment = self._environment(service, port) | dict(settings or {})
        _run(service, "migrate", environment=environment)
        self.processes[name] = _start(f"services.{service}", "serve", environment=environment)
        self.ports[name] = port
        _await_port(port)
        return port

    def migrate(self, service: str) -> None:
        """Make a service's tables, unless they are there."""
        _run(service, "migrate", environment=self._environment(service, free_port()))

    def start_echo(self, answer: bytes) -> int:
        """Start the bare echo server, as several processes behind one port; return it."""
        (self.directory / "answer.bin").write_bytes(answer)
        port = free_port()
        for number in range(self.each):
            self.processes[f"echo-{number}"] = _start(
                "bench._echo", str(self.directory), str(port), environment=dict(os.environ)
            )
        _await_port(port)
        return port

    def end(self, *names: str) -> None:
        """End processes, all when none is named."""
        ending = [self.processes.pop(name) for name in names or tuple(self.processes)]
        for process in ending:
            process.terminate()
        for process in ending:
            process.wait(timeout=30)

    def rss_mb(self, name: str) -> float:
        """Return the resident memory of a process and those that it started."""
        pid = self.processes[name].pid
        started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        statuses = [Path(f"/proc/{each}/status").read_text() for each in (pid, *started)]
        resident = re.findall(r"^VmRSS:\s+(\d+) kB$", "".join(statuses), re.MULTILINE)
        return sum(map(int, resident)) / 1024

    def _environment(self, service: str, port: int) -> dict[str, str]:
        here = self.directory
        audit = port if service == "audit" else self.ports.get("audit", 9)
        return {
            **os.environ,
            "ACCORD_REGION": NAME,
            "ACCORD_TRUST_BUNDLE_FILE": str(here / "bundle.pem"),
            "ACCORD_ACCOUNT_ADDRESS": "127.0.0.1:9",
            "ACCORD_AUDIT_ADDRESS": f"127.0.0.1:{audit}",
            "ACCORD_APPS_FILE": str(_ROOT / "deploy/k8s/base/sharing/apps.yaml"),
            "ACCORD_SEALING_KEY_FILE": str(here / "sealing.key"),
            "ACCORD_LOG_LEVEL": "WARNING",
            "ACCORD_MAX_CONNECTION_AGE_S": "3600",
            "ACCORD_LOG_KEY_FILE": str(here / "log" / "log.key"),
            "ACCORD_KEK_DIRECTORY": str(here / "kek"),
            "ACCORD_TILE_DIRECTORY": str(here / "tiles"),
            "ACCORD_KEY_DATABASE_URL": self.url("keys"),
            "ACCORD_LISTEN": f"127.0.0.1:{port}",
            "ACCORD_HEALTH_LISTEN": f"127.0.0.1:{free_port()}",
            "ACCORD_DATABASE_URL": self.url(service),
            "ACCORD_CERTIFICATE_FILE": str(here / f"{service}.crt"),
            "ACCORD_KEY_FILE": str(here / f"{service}.key"),
        }


@contextmanager
def region(store: str, *, memory_mb: int = 512) -> Iterator[Region]:
    """Make a region that keeps its records in `store`; at the end nothing of it is left.

    A server of PostgreSQL has `memory_mb` for its pages.
    """
    with TemporaryDirectory(prefix="accord-bench-") as name:
        directory = Path(name)
        _certify(directory)
        (directory / "tiles").mkdir()
        keygen(NAME, directory / "log" / "log.key", directory / "kek")
        _run("sharing", "keygen", "--sealing-key-file", str(directory / "sealing.key"))
        if store == "sqlite":
            yield from _ended(Region(directory, None))
            return
        with running_postgres(durable=True, memory_mb=memory_mb) as postgres:
            yield from _ended(Region(directory, postgres))


def keygen(region: str, log_key: Path, keks: Path) -> None:
    """Make the keys of a region's audit service."""
    files = ["--log-key-file", str(log_key), "--kek-directory", str(keks)]
    _run("audit", "keygen", "--region", region, *files)


def _ended(made: Region) -> Iterator[Region]:
    try:
        yield made
    finally:
        made.end()


def _certify(directory: Path) -> None:
    """Issue the certificates of the services, of the app that asks and of an auditor."""
    authority = Authority.create(DOMAIN)
    (directory / "bundle.pem").write_bytes(authority.pem)
    for service in ("sharing", "audit"):
        issued = authority.issue(f"svc/{service}", dns=[f"{service}.{DOMAIN}"])
        issued.write(directory / service)
    authority.issue("app/mi-store").write(directory / "app")
    authority.issue("staff/auditor/ana").write(directory / "auditor")


def _run(service: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", f"services.{service}", *arguments]
    subprocess.run(  # noqa: S603  our own module
        command, env=environment, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL
    )


def _start(module: str, *arguments: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(  # noqa: S603  our own module
        command, env=environment, cwd=_ROOT, stdout=sys.stderr
    )


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
