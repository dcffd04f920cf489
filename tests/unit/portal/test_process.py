"""The process: its certificate is renewed without a restart, it lets the silent go, and it ends."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import pytest

from runtime.testing import Bench
from tests.unit.portal.conftest import portal_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.portal.settings import PortalSettings

T = TypeVar("T")
PATIENCE_S = 60.0
LOOK_S = 0.1  # between two looks, in which the processor is left to the portal


def test_renewal_a_silent_client_and_an_orderly_end(tmp_path: Path) -> None:
    port = _free_port()
    settings = portal_settings(tmp_path, web_listen=f"127.0.0.1:{port}")
    with subprocess.Popen(
        [sys.executable, "-m", "services.portal", "serve"], env=_environment(settings)
    ) as process:
        try:
            first = _seen(process, lambda: _certificate(port))
            with _connected(port) as silent:
                assert silent.recv(1) == b""  # who says nothing is not waited for
            Bench(tmp_path).authority.issue("svc/web", dns=["portal.test"]).write(tmp_path / "web")
            _seen(process, lambda: _certificate(port) not in {None, first})
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


def _environment(settings: PortalSettings) -> dict[str, str]:
    told = settings.model_dump(exclude_none=True, exclude={"health_listen"})
    return {
        "PATH": os.environ["PATH"],
        "ACCORD_HEALTH_LISTEN": "127.0.0.1:0",
        **{f"ACCORD_{name.upper()}": str(value) for name, value in told.items()},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def _certificate(port: int) -> bytes | None:
    """Return the certificate that a handshake shows now, or None while nobody answers."""
    try:
        with _connected(port) as secure:
            return secure.getpeercert(binary_form=True)
    except OSError:
        return None


@contextmanager
def _connected(port: int) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # which certificate it is, is what is asked
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain) as secure,
    ):
        yield secure


def _seen(process: subprocess.Popen[bytes], look: Callable[[], T | None]) -> T:
    """Look until there is something to see, the process ends, or the deadline passes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        with suppress(subprocess.TimeoutExpired):
            pytest.fail(f"the portal ended with {process.wait(LOOK_S)}")
    pytest.fail("it did not come to pass")
