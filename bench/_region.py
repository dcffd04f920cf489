"""A small region to measure in: certificates, data, and sharing and audit as processes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from runtime.authority import Authority
from runtime.db import Database
from runtime.ids import new_account
from runtime.migrations import migrate
from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.ports import Records
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    ContractState,
    DueDiligence,
    Recipient,
    Scope,
    SignedDocument,
    Subject,
    SubjectStatus,
    Terms,
)
from services.sharing.store.records import MIGRATIONS, SqlStore

REGION = "nl"
DOMAIN = f"{REGION}.accord.internal"
ROOT = Path(__file__).parent.parent
ACCOUNTS = 500
READY_S = 30.0


def certify(directory: Path) -> None:
    """Issue the certificates of both services and of the app that asks."""
    authority = Authority.create(DOMAIN)
    (directory / "bundle.pem").write_bytes(authority.pem)
    for service in ("sharing", "audit"):
        issued = authority.issue(f"svc/{service}", dns=[f"{service}.{DOMAIN}"])
        issued.write(directory / service)
    authority.issue("app/mi-store").write(directory / "app")


async def fill(url: str) -> list[str]:
    """Put people, two recipients with contracts, and a consent of each person on record."""
    migrate(url, MIGRATIONS)
    database = Database(url)
    accounts = [new_account(REGION) for _ in range(ACCOUNTS)]
    now = datetime.now(UTC)

    def unit(records: Records) -> None:
        for name, kind, purposes in (
            ("dhl", "service_provider.delivery", {"delivery"}),
            ("ads", "service_provider.advertising", {"direct_marketing"}),
        ):
            recipient = Recipient(f"recipients/{name}", name.upper(), kind, "DE", now)
            records.recipients.add(recipient)
            _in_force(records, recipient, frozenset(purposes), now)
        for account in accounts:
            _know(records, account, now)

    await SqlStore(database).write(unit)
    await database.close()
    return accounts


def _in_force(
    records: Records, recipient: Recipient, purposes: frozenset[str], now: datetime
) -> None:
    today = now.date()
    year = timedelta(days=365)
    terms = Terms(
        purposes=purposes,
        categories=frozenset({"contact", "account", "device", "usage"}),
        origins=frozenset({"EEA"}),
        destinations=frozenset({"EEA"}),
        effective=today - year,
        expires=today + year,
        due_diligence=DueDiligence(passed=True, on=today - year, expires=today + year),
        document=SignedDocument("00" * 32, "archive://1"),
    )
    name = f"contracts/{recipient.name.rpartition('/')[2]}"
    agreement = Agreement.draft(name, recipient.name, terms, "author", now)
    records.contracts.save(agreement, Step(1, ContractState.DRAFT, "author", now))
    active = agreement.submit(1).activate(1, "second")
    records.contracts.save(active, Step(1, ContractState.ACTIVE, "second", now))


def _know(records: Records, account: str, now: datetime) -> None:
    since = now - timedelta(days=100)
    records.subjects.put(
        Subject(account, "NL", date(1990, 4, 2), SubjectStatus.ACTIVE, since, 1), since
    )
    scope = Scope(
        "mi_store", frozenset({"direct_marketing"}), frozenset({"contact.email"}), "recipients/ads"
    )
    name = f"{account}/consents/first"
    consent = Consent(name, scope, ConsentState.GIVEN, since)
    records.consents.add(account, consent, since)


@contextmanager
def running(directory: Path, sharing_url: str) -> Iterator[int]:
    """Run sharing and audit as processes; give the port of sharing."""
    ports = {"sharing": _free_port(), "audit": _free_port()}
    common = {
        **os.environ,
        "ACCORD_REGION": REGION,
        "ACCORD_TRUST_BUNDLE_FILE": str(directory / "bundle.pem"),
        "ACCORD_ACCOUNT_ADDRESS": "127.0.0.1:9",
        "ACCORD_AUDIT_ADDRESS": f"127.0.0.1:{ports['audit']}",
        "ACCORD_APPS_FILE": str(ROOT / "deploy/k8s/base/sharing/apps.yaml"),
        "ACCORD_SEALING_KEY_FILE": str(directory / "sealing.key"),
        "ACCORD_LOG_LEVEL": "WARNING",
        "ACCORD_MAX_CONNECTION_AGE_S": "3600",
        "ACCORD_LOG_KEY_FILE": str(directory / "log" / "log.key"),
        "ACCORD_KEK_DIRECTORY": str(directory / "kek"),
        "ACCORD_KEY_DATABASE_URL": f"sqlite:///{directory / 'keys.db'}",
    }
    urls = {"sharing": sharing_url, "audit": f"sqlite:///{directory / 'log.db'}"}
    keys = ["--log-key-file", common["ACCORD_LOG_KEY_FILE"], "--kek-directory"]
    _run("audit", "keygen", "--region", REGION, *keys, common["ACCORD_KEK_DIRECTORY"])
    _run("sharing", "keygen", "--sealing-key-file", common["ACCORD_SEALING_KEY_FILE"])
    processes = []
    try:
        for service in ("audit", "sharing"):
            environment = common | {
                "ACCORD_LISTEN": f"127.0.0.1:{ports[service]}",
                "ACCORD_HEALTH_LISTEN": f"127.0.0.1:{_free_port()}",
                "ACCORD_DATABASE_URL": urls[service],
                "ACCORD_CERTIFICATE_FILE": str(directory / f"{service}.crt"),
                "ACCORD_KEY_FILE": str(directory / f"{service}.key"),
            }
            _run(service, "migrate", environment=environment)
            processes.append(_start(f"services.{service}", "serve", environment=environment))
        for port in ports.values():
            _await_port(port)
        yield ports["sharing"]
    finally:
        _end(processes)


@contextmanager
def echoing(directory: Path) -> Iterator[int]:
    """Run the bare echo server as a process; give its port."""
    process = _start("bench._echo", str(directory), environment=dict(os.environ))
    try:
        written = directory / "echo.port"
        deadline = time.monotonic() + READY_S
        while not (written.exists() and written.read_text()):
            if time.monotonic() > deadline:
                raise RuntimeError("the echo server did not start")
            time.sleep(0.05)
        yield int(written.read_text())
    finally:
        _end([process])


def _run(service: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", f"services.{service}", *arguments]
    subprocess.run(  # noqa: S603  our own module
        command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )


def _start(module: str, *arguments: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(  # noqa: S603  our own module
        command, env=environment, cwd=ROOT, stdout=sys.stderr
    )


def _end(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
