"""What a local region is made of: certificates, keys and profiles, under `var/<region>/`.

Roots and keys are made once and kept; leaf certificates are made anew at each start, so that
they never expire between two of them.
"""

import base64
import hashlib
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from runtime.authority import Authority
from sandbox.providers.app import FACEBOOK_APP_ID, GOOGLE_CLIENT_ID

SERVICES = ("account", "sharing", "audit", "portal")
APPS = ("mi-store", "live-chat")
STAFF = {"operator": "olivia", "officer": "otto", "auditor": "aisha"}
_WEB = "web"


@dataclass(frozen=True)
class Material:
    """The files of one region. `root` is shared by all regions of this machine."""

    root: Path
    region: str

    @property
    def home(self) -> Path:
        """Return the region's directory."""
        return self.root / self.region

    @property
    def trust_bundle(self) -> Path:
        """Return the roots that the region's mesh trusts."""
        return self.home / "ca" / "root.crt"

    @property
    def web_root(self) -> Path:
        """Return the root that browsers are to trust, for https://localhost alone."""
        return self.root / "ca" / f"{_WEB}.crt"

    @property
    def log_key(self) -> Path:
        """Return the log's pinned key, taken from where the key was made."""
        return self.home / "log.vkey"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Return certificate and key of a holder, such as `account`, `mi-store` or `web`."""
        stem = self.home / "certificates" / name
        return stem.with_suffix(".crt"), stem.with_suffix(".key")

    def key(self, name: str) -> Path:
        """Return the path of a secret of the region."""
        return self.home / "keys" / name

    def database(self, name: str) -> Path:
        """Return the path of a SQLite file."""
        return self.home / "data" / f"{name}.db"

    @property
    def tiles(self) -> Path:
        """Return the directory in which the log is published."""
        return self.home / "tiles"

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.home / "log" / f"{name}.log"

    def profile(self, client: str) -> Path:
        """Return the profile with which `accord` calls as an app or a member of staff."""
        return self.home / "clients" / f"{client}.toml"

    def prepare(self) -> None:
        """Make the directories, the roots that are missing, and all leaf certificates."""
        for directory in ("data", "keys", "log", "clients", "certificates", "tiles"):
            (self.home / directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        domain = f"{self.region}.accord.internal"
        authority = _root(self.home / "ca" / "root", domain, lambda: Authority.create(domain))
        for service in SERVICES:
            dns = [f"{service}.{authority.trust_domain}"]
            # Tools on this machine know the HTTPS doors of these by that name.
            if service in {"sharing", "audit"}:
                dns.append("localhost")
            authority.issue(f"svc/{service}", dns=dns).write(self._stem(service))
        for app in APPS:
            authority.issue(f"app/{app}").write(self._stem(app))
        for role, name in STAFF.items():
            authority.issue(f"staff/{role}/{name}").write(self._stem(role))
        web = _root(self.root / "ca" / _WEB, "localhost", _web_authority)
        web.issue(dns=["localhost"], ips=["127.0.0.1"]).write(self._stem(_WEB))

    def write_profiles(self, addresses: dict[str, str], portal: str) -> None:
        """Write a profile for every app and role, with the addresses of this start."""
        lines = [
            f'region = "{self.region}"',
            f'trust_bundle_file = "{self._seen(self.trust_bundle)}"',
        ]
        lines += [f'{service}_address = "{address}"' for service, address in addresses.items()]
        lines.append(f'portal_url = "{portal}"')
        for client in (*APPS, *STAFF):
            certificate, key = self.certificate(client)
            own = [
                f'certificate_file = "{self._seen(certificate)}"',
                f'key_file = "{self._seen(key)}"',
            ]
            self.profile(client).write_text("\n".join([*lines, *own]) + "\n")

    def write_providers(self, origin: str) -> Path:
        """Write what account is to know of the sandbox identity providers at `origin`."""
        google = {
            "key": "google",
            "kind": "oidc",
            "title": "Google",
            "issuer": f"{origin}/google",
            # Google has signed its name without the scheme in front of it, too.
            "issuer_aliases": [f"{origin}/google".removeprefix("https://")],
            "hosts": [origin.removeprefix("https://")],
            "client_id": GOOGLE_CLIENT_ID,
            "client_secret_file": str(self._client_secret("google")),
            "email_authority": {"domains": ["mail.example"], "hosted": True},
        }
        facebook = {
            "key": "facebook",
            "kind": "facebook",
            "title": "Facebook",
            "issuer": f"{origin}/facebook",
            "dialog": f"{origin}/facebook",
            "graph": f"{origin}/facebook",
            "version": "v21.0",
            "client_id": FACEBOOK_APP_ID,
            "client_secret_file": str(self._client_secret("facebook")),
        }
        file = self.home / "providers.yaml"
        file.write_text(yaml.safe_dump({"providers": [google, facebook]}, sort_keys=False))
        return file

    def _client_secret(self, provider: str) -> Path:
        """Keep the client secret as account wants every secret: readable by its owner alone."""
        file = self.key(f"{provider}.secret")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes((Path(__file__).parent / "providers" / file.name).read_bytes())
        return file

    def make_key(self, name: str) -> Path:
        """Return a file with base64 of 32 random bytes, made at the first start."""
        file = self.key(name)
        if not file.exists():
            file.touch(mode=0o600)
            file.write_bytes(base64.b64encode(secrets.token_bytes(32)) + b"\n")
        return file

    def write_tool_tokens(self) -> Path:
        """Write the bearer tokens of tools: one, of mi-store, which lies beside as `tool.token`."""
        return self._write_token("tool", "mi-store")

    def write_monitor_tokens(self) -> Path:
        """Write the bearer token of who reads the log, which lies beside as `monitor.token`."""
        return self._write_token("monitor", "log-monitor")

    def _write_token(self, name: str, app: str) -> Path:
        token = self.make_key(f"{name}.token").read_text().strip()
        file = self.key(f"{name}-tokens")
        file.touch(mode=0o600)
        file.write_text(f"{hashlib.sha256(token.encode()).hexdigest()} {app}\n")
        return file

    def witness(self, name: str) -> Path:
        """Return a file of what the region knows of others: `roots`, `logs`, `policy`, `pins`."""
        return self.home / "witness" / name

    def write_witnesses(self, others: Sequence[tuple["Material", str]], enough: int) -> None:
        """Write whom the region believes, whom it cosigns, and whose cosignatures it needs.

        Of each other region, its material and the origin of its witness.
        """
        self.witness("roots").mkdir(mode=0o700, parents=True, exist_ok=True)
        log_key = self.key("log.vkey").read_text().strip()
        logs, policy = list[str](), [f"log {log_key}"]
        pins = [self.log_key.read_text().strip()]  # what the portal verifies with
        for other, origin in others:
            shutil.copyfile(other.trust_bundle, self.witness("roots") / f"{other.region}.pem")
            logs += [
                file.read_text().strip() for file in sorted((other.home / "keys").glob("log*.vkey"))
            ]
            vkey = other.key("witness.vkey").read_text().strip()
            policy.append(f"witness {other.region} {vkey} {origin}")
            pins.append(vkey)
        members = " ".join(other.region for other, _ in others)
        policy += [f"group regions {enough} {members}", "quorum regions"]
        self.witness("logs").write_text("\n".join(logs) + "\n")
        self.witness("policy").write_text("\n".join(policy) + "\n")
        self.witness("pins").write_text("\n".join(pins) + "\n")

    def pin_log_key(self, made: Path) -> None:
        """Keep the log's public key apart from the log, as an auditor would."""
        if not self.log_key.exists():
            shutil.copyfile(made, self.log_key)

    def _stem(self, name: str) -> Path:
        return self.home / "certificates" / name

    def _seen(self, path: Path) -> str:
        """Return the path as a profile names it: the tree may be moved as a whole."""
        return f"../{path.relative_to(self.home)}"


def _root(stem: Path, trust_domain: str, make: Callable[[], Authority]) -> Authority:
    if not stem.with_suffix(".key").exists():
        make().write(stem)
    return Authority.read(trust_domain, stem)


def _web_authority() -> Authority:
    """A root that is worth nothing outside of this machine, since people are asked to trust it."""
    return Authority.create("localhost", hosts=["localhost"], networks=["127.0.0.1/32"])
