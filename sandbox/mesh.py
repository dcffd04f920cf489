"""A region on this machine: every service a real process, over mTLS, with SQLite files.

    with Mesh("nl", Path("var")) as mesh:
        print(mesh.portal)

Used by `make up`, by the mesh tests and by the browser tests. What it keeps lies under
`var/<region>/`; a later start goes on from it.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from sandbox.material import Material
from sandbox.process import Process, StartError, serving

_START_S = 60.0
_STOP_S = 20.0
_PROJECT = Path(__file__).parent.parent
_STORES = ("account", "sharing", "audit")
_GRPC = ("account", "sharing", "audit")


@dataclass(frozen=True)
class Ports:
    """Where the processes of a region listen, all on loopback."""

    portal: int
    providers: int
    services: Mapping[str, int]
    health: Mapping[str, int]

    @classmethod
    def fixed(cls) -> Self:
        """Return the ports of `make up`."""
        services = {name: 7001 + n for n, name in enumerate(_GRPC)}
        health = {name: 7101 + n for n, name in enumerate((*_GRPC, "portal"))}
        return cls(8443, 9443, services, health)

    @classmethod
    def free(cls) -> Self:
        """Return ports that nobody uses now, so that several regions can run beside each other."""
        sockets = [socket.socket() for _ in range(2 + len(_GRPC) * 2 + 1)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        numbers = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        names = iter(numbers)
        return cls(
            next(names),
            next(names),
            {name: next(names) for name in _GRPC},
            {name: next(names) for name in (*_GRPC, "portal")},
        )


class Mesh:
    """A region's processes."""

    def __init__(self, region: str, root: Path, ports: Ports | None = None) -> None:
        self.region = region
        self.ports = ports or Ports.fixed()
        self.material = Material(root.resolve(), region)
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def portal(self) -> str:
        """Return the portal's origin."""
        return f"https://localhost:{self.ports.portal}"

    @property
    def providers(self) -> str:
        """Return the origin of the sandbox identity providers."""
        return f"https://localhost:{self.ports.providers}"

    def address(self, service: str) -> str:
        """Return `host:port` of a service's mTLS port."""
        return f"127.0.0.1:{self.ports.services[service]}"

    def start(self) -> None:
        """Start everything and return when everything serves; StartError within a minute if not."""
        deadline = time.monotonic() + _START_S
        self._refuse_taken_ports()
        self.material.prepare()
        self._make_keys()
        addresses = {service: self.address(service) for service in _GRPC}
        self.material.write_profiles(addresses, self.portal)
        self._migrate(deadline)
        self._processes = {"providers": self._providers()}
        self._processes |= {name: self._service(name) for name in (*_GRPC, "portal")}
        for process in self._processes.values():
            process.start()
        for process in self._processes.values():
            process.wait_ready(deadline)

    def stop(self) -> list[str]:
        """Stop everything, who asks before who answers; return those that had to be killed."""
        deadline = time.monotonic() + _STOP_S
        for process in reversed(self._processes.values()):
            process.terminate()
        return [
            name for name, process in self._processes.items() if not process.wait_stopped(deadline)
        ]

    def process(self, name: str) -> Process:
        """Return one of the processes: `account`, `sharing`, `audit`, `portal`, `providers`."""
        return self._processes[name]

    def restart(self, name: str) -> None:
        """Start a process again after its end, and return when it serves."""
        process = self._processes[name]
        process.start()
        process.wait_ready(time.monotonic() + _START_S)

    def failed(self) -> list[str]:
        """Return the processes that have ended by themselves."""
        return [name for name, process in self._processes.items() if not process.alive]

    def _refuse_taken_ports(self) -> None:
        for port in (self.ports.portal, self.ports.providers, *self.ports.services.values()):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    message = f"port {port} is taken: is Accord running already?"
                    raise StartError(message) from error

    def _make_keys(self) -> None:
        key = self.material.key("log.key")
        subprocess.run(  # noqa: S603  a command of our own, no shell
            [
                *(sys.executable, "-m", "services.audit", "keygen", "--region", self.region),
                *("--log-key-file", str(key), "--kek-directory", str(self.material.key("kek"))),
            ],
            check=True,
            cwd=_PROJECT,
            stdout=subprocess.DEVNULL,
        )
        self.material.pin_log_key(key.with_suffix(".vkey"))

    def _migrate(self, deadline: float) -> None:
        running = [self._command(name, "migrate") for name in _STORES]
        for process in running:
            process.start()
        for process in running:
            process.wait_done(deadline)

    def _service(self, name: str) -> Process:
        return self._command(name, "serve")

    def _command(self, name: str, command: str) -> Process:
        return Process(
            name,
            ["-m", f"services.{name}", command],
            self._base() | self._environment(name),
            self.material.log(name),
            serving(f"127.0.0.1:{self.ports.health[name]}"),
        )

    def _providers(self) -> Process:
        certificate, key = self.material.certificate("web")
        arguments = [
            *("-m", "sandbox.providers", "--port", str(self.ports.providers)),
            *("--certificate", str(certificate), "--key", str(key), "--portal", self.portal),
        ]
        return Process(
            "providers", arguments, self._base(), self.material.log("providers"), self._answers
        )

    def _answers(self) -> bool:
        try:
            httpx.get(f"{self.providers}/style.css", verify=str(self.material.web_root), timeout=1)
        except httpx.HTTPError:
            return False
        return True

    def _base(self) -> dict[str, str]:
        """Nothing of the caller's environment but what Python itself needs to run."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {"PYTHONPATH": str(_PROJECT), "PYTHONUNBUFFERED": "1"}

    def _environment(self, name: str) -> dict[str, str]:
        """The settings of a service, as its settings.py names them."""
        material = self.material
        certificate, key = material.certificate(name)
        settings: dict[str, str | Path] = {
            "region": self.region,
            "certificate_file": certificate,
            "key_file": key,
            "trust_bundle_file": material.trust_bundle,
            "health_listen": f"127.0.0.1:{self.ports.health[name]}",
        }
        settings |= {f"{peer}_address": self.address(peer) for peer in _GRPC if peer != name}
        if name in _GRPC:
            settings |= {
                "listen": self.address(name),
                "database_url": f"sqlite:///{material.database(name)}",
            }
        match name:
            case "account":
                settings |= {
                    "portal_origin": self.portal,
                    "providers_file": material.write_providers(self.providers),
                    "provider_ca_file": material.web_root,
                    "sealing_key_file": material.make_key("account-sealing.key"),
                }
            case "audit":
                settings |= {
                    "key_database_url": f"sqlite:///{material.database('audit-keys')}",
                    "log_key_file": material.key("log.key"),
                    "kek_directory": material.key("kek"),
                }
        return {f"ACCORD_{setting.upper()}": str(value) for setting, value in settings.items()}
