"""One process of a local region: started, watched until ready, stopped cleanly."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_POLL_S = 0.05
_LOG_TAIL = 1500


class StartError(Exception):
    """A process ended or was not ready in time; the message holds the end of its log."""


class Process:
    """A command with its environment, its log file and a question that tells when it is ready."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
    ) -> None:
        self.name = name
        self._arguments = [*_die_with_parent(), sys.executable, *arguments]
        self._environment = dict(environment)
        self._log = log
        self._ready = ready
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it prints is appended to its log."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._running = subprocess.Popen(  # noqa: S603  a command of our own, no shell
                self._arguments,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which stops in order
            )

    def wait_ready(self, deadline: float) -> None:
        """Return when it is ready; StartError when it ends before, or at `deadline` (monotonic)."""
        while not self._ready():
            if self._ended(_POLL_S):
                raise StartError(f"{self.name} ended while starting:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready in time:\n{self._tail()}")

    def wait_done(self, deadline: float) -> None:
        """Return when it ended well; StartError when it failed or runs at `deadline` still."""
        if not self._ended(max(0.0, deadline - time.monotonic())):
            self.kill()
            raise StartError(f"{self.name} did not end in time:\n{self._tail()}")
        if self._running is not None and self._running.returncode:
            raise StartError(f"{self.name} failed:\n{self._tail()}")

    @property
    def pid(self) -> int:
        """Return its process id, while it runs."""
        assert self._running is not None  # noqa: S101  asked of what was started
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._running is not None and self._running.poll() is None

    def terminate(self) -> None:
        """Ask it to finish what it is doing and end."""
        if self._running is not None and self.alive:
            self._running.terminate()

    def kill(self) -> None:
        """End it at once, as a crash or a power cut would."""
        if self._running is not None and self.alive:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait()

    def wait_stopped(self, deadline: float) -> bool:
        """Wait for the end that `terminate` asked for; past `deadline` kill it and return False."""
        if self._running is None or self._ended(max(0.0, deadline - time.monotonic())):
            return True
        self.kill()
        return False

    def _ended(self, seconds: float) -> bool:
        if self._running is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(seconds)
        return self._running.returncode is not None

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-_LOG_TAIL:]


def serving(address: str) -> Callable[[], bool]:
    """Ask grpc.health.v1 at a plaintext address whether the process as a whole serves."""

    def ask() -> bool:
        with grpc.insecure_channel(address) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=1.0
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    return ask


def _die_with_parent() -> list[str]:
    """A launcher that is killed outright leaves nothing running, where the system can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=SIGTERM", "--"] if setpriv else []
