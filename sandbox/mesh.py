"""A region on this machine: every service a real process, over mTLS, with SQLite files.

    with Mesh("nl", Path("var")) as mesh:
        print(mesh.portal)

Used by `make up`, by the mesh tests and by the browser tests. What it keeps lies under
`var/<region>/`; a later start goes on from it.
"""

import os
import random
import socket
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import httpx

from sandbox.material import Material
from sandbox.process import Process, StartError, serving

_START_S = 60.0
_STOP_S = 20.0
_PROJECT = Path(__file__).parent.parent
_GRPC = ("account", "sharing", "audit")
# Processes that start regions beside each other, as workers of tests do, have neighbouring ids: so
# none takes a port between another's look at it and the start of what is to listen there.
_RANGE = range(20_000 + os.getpid() % 12, 32_000, 12)
_untaken = iter(random.sample(_RANGE, len(_RANGE)))  # none is given out twice


@dataclass(frozen=True)
class Ports:
    """Where the processes of a region listen, all on loopback."""

    portal: int
    providers: int
    tools: int
    tiles: int
    witness: int
    services: Mapping[str, int]
    health: Mapping[str, int]

    @classmethod
    def fixed(cls, place: int = 0) -> Self:
        """Return the ports of `make up`, for the first region or one after it."""
        doors = 10 * place
        services = {name: 7001 + doors + n for n, name in enumerate(_GRPC)}
        health = {name: 7101 + doors + n for n, name in enumerate((*_GRPC, "portal"))}
        return cls(
            8443 + doors, 9443 + doors, 8444 + doors, 8445 + doors, 8446 + doors, services, health
        )

    @classmethod
    def free(cls) -> Self:
        """Return ports that nobody uses now, so that several regions can run beside each other.

        Below the range from which the system takes those of outgoing connections: one of these
        could take the port again before its service is up.
        """
        free = (port for port in _untaken if _is_free(port))
        return cls(
            next(free),
            next(free),
            next(free),
            next(free),
            next(free),
            {name: next(free) for name in _GRPC},
            {name: next(free) for name in (*_GRPC, "portal")},
        )


class Mesh:
    """A region's processes."""

    def __init__(self, region: str, root: Path, ports: Ports | None = None) -> None:
        self.region = region
        self.ports = ports or Ports.fixed()
        self.material = Material(root.resolve(), region)
        self._processes: dict[str, Process] = {}
        self._prepared = False
        self._meets = False

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
    def tools(self) -> str:
        """Return the origin of sharing's HTTPS door for tools."""
        return f"https://localhost:{self.ports.tools}"

    @property
    def tiles(self) -> str:
        """Return the origin of audit's HTTPS door, where tools read the log."""
        return f"https://localhost:{self.ports.tiles}"

    @property
    def witness(self) -> str:
        """Return the origin of audit's HTTPS door for the logs of other regions."""
        return f"https://127.0.0.1:{self.ports.witness}"

    @property
    def providers(self) -> str:
        """Return the origin of the sandbox identity providers."""
        return f"https://localhost:{self.ports.providers}"

    def address(self, service: str) -> str:
        """Return `host:port` of a service's mTLS port."""
        return f"127.0.0.1:{self.ports.services[service]}"

    def prepare(self) -> None:
        """Make what is missing of certificates, keys and profiles; StartError if that fails."""
        self._refuse_taken_ports()
        self.material.prepare()
        self._make_keys(time.monotonic() + _START_S)
        addresses = {service: self.address(service) for service in _GRPC}
        self.material.write_profiles(addresses, self.portal)
        self._prepared = True

    def meet(self, others: Sequence[Self], enough: int) -> None:
        """Be a witness of the other regions' logs, and need `enough` of them for one's own.

        All of them are prepared; none has started.
        """
        self.material.write_witnesses([(each.material, each.witness) for each in others], enough)
        self._meets = True

    def start(self, only: Collection[str] = (*_GRPC, "portal")) -> None:
        """Start everything and return when everything serves; StartError within a minute if not.

        With `only`, start just these services.
        """
        deadline = time.monotonic() + _START_S
        if not self._prepared:
            self.prepare()
        migrations = {name: self._command(name, "migrate") for name in _GRPC if name in only}
        for migration in migrations.values():
            migration.start()
        self._processes = {"providers": self._providers()} if "account" in only else {}
        self._processes |= {name: self._command(name, "serve") for name in only}
        for name, process in self._processes.items():
            if name in migrations:
                migrations[name].wait_done(deadline)
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
        named = (self.ports.portal, self.ports.providers, self.ports.tools, self.ports.tiles)
        for port in (*named, self.ports.witness, *self.ports.services.values()):
            if not _is_free(port):
                raise StartError(f"port {port} is taken: is Accord running already?")

    def _make_keys(self, deadline: float) -> None:
        """Let the services make the keys that are missing; this month's, too."""
        log_key, sealing = self.material.key("log.key"), self.material.key("account-sealing.key")
        witness, kek = self.material.key("witness.key"), self.material.key("kek")
        commands = []
        made = log_key.exists() and witness.exists()
        if not (made and (kek / f"{datetime.now(UTC):%Y-%m}.kek").exists()):
            files = ["--log-key-file", str(log_key), "--kek-directory", str(kek)]
            commands.append(self._command("audit", "keygen", "--region", self.region, *files))
        if not sealing.exists():
            commands.append(self._command("account", "keygen", "--sealing-key-file", str(sealing)))
        for command in commands:
            command.start()
        for command in commands:
            command.wait_done(deadline)
        self.material.pin_log_key(log_key.with_suffix(".vkey"))

    def _command(self, name: str, *words: str) -> Process:
        return Process(
            name,
            ["-m", f"services.{name}", *words],
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
            trust = ssl.create_default_context(cafile=self.material.web_root)
            httpx.get(f"{self.providers}/style.css", verify=trust, timeout=1)
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
                    "sealing_key_file": material.key("account-sealing.key"),
                }
            case "portal":
                web_certificate, web_key = material.certificate("web")
                settings |= {
                    "web_listen": f"127.0.0.1:{self.ports.portal}",
                    "web_certificate_file": web_certificate,
                    "web_key_file": web_key,
                    "portal_origin": self.portal,
                    "provider_origins": self.providers,
                    "form_key_file": material.make_key("portal-form.key"),
                    "log_key_file": material.witness("pins") if self._meets else material.log_key,
                }
            case "sharing":
                # The very file that the data centers use.
                settings["apps_file"] = (
                    _PROJECT / "deploy" / "k8s" / "base" / "sharing" / "apps.yaml"
                )
                settings["sealing_key_file"] = material.make_key("sharing-sealing.key")
                # Recipients of a sandbox are this machine too.
                settings["revocation_to_loopback"] = "true"
                settings["revocation_ca_file"] = material.web_root
                settings |= {
                    "tools_listen": f"127.0.0.1:{self.ports.tools}",
                    "tools_origin": self.tools,
                    "tools_tokens_file": material.write_tool_tokens(),
                }
            case "audit":
                settings |= {
                    "key_database_url": f"sqlite:///{material.database('audit-keys')}",
                    "audit_address": self.address(name),
                    "log_key_file": material.key("log.key"),
                    "kek_directory": material.key("kek"),
                    "tile_directory": material.tiles,
                    "tools_listen": f"127.0.0.1:{self.ports.tiles}",
                    "tools_apps": '["log-monitor"]',
                    "tools_tokens_file": material.write_monitor_tokens(),
                }
                if self._meets:
                    settings |= {
                        "region_roots_directory": material.witness("roots"),
                        "witness_key_file": material.key("witness.key"),
                        "witness_listen": f"127.0.0.1:{self.ports.witness}",
                        "witness_logs_file": material.witness("logs"),
                        "witness_policy_file": material.witness("policy"),
                    }
        return {f"ACCORD_{setting.upper()}": str(value) for setting, value in settings.items()}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
