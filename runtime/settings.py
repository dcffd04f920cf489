"""Settings, read once from the environment and validated before anything starts.

Secrets are never values: they are paths of files. A bad setting ends the process with a sentence
per setting and exit status 78 (EX_CONFIG), before a port is opened.
"""

import sys
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from runtime.credentials import Credentials
from runtime.seal import Sealer

_EX_CONFIG = 78
# host:port, the host a name, an IPv4 address or a bracketed IPv6 one.
ADDRESS = r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$"

S = TypeVar("S", bound=BaseSettings)


class ServiceSettings(BaseSettings):
    """What every process of the mesh is told, as environment variables `ACCORD_…`."""

    model_config = SettingsConfigDict(env_prefix="ACCORD_", frozen=True, extra="ignore")

    region: str = Field(pattern=r"^[a-z]{2}$", description="the region this process belongs to")
    certificate_file: FilePath = Field(description="X.509-SVID with its chain, PEM; re-read")
    key_file: FilePath = Field(description="private key of the certificate, PEM; re-read")
    trust_bundle_file: FilePath = Field(description="roots of this region's trust domain, PEM")
    health_listen: str = Field(
        pattern=ADDRESS, description="plaintext address that serves grpc.health.v1 alone"
    )
    otlp_endpoint: str | None = Field(
        default=None, description="OTLP/gRPC collector, http(s)://host:port; none: no export"
    )
    log_level: str = Field(
        default="INFO",
        pattern=r"^(DEBUG|INFO|WARNING|ERROR)$",
        description="least severe lines to write: DEBUG, INFO, WARNING or ERROR",
    )

    @property
    def trust_domain(self) -> str:
        """Return the SPIFFE trust domain of the region."""
        return f"{self.region}.accord.internal"

    @property
    def credentials(self) -> Credentials:
        """Return the files that prove who this process is."""
        return Credentials(self.certificate_file, self.key_file, self.trust_bundle_file)


class GrpcSettings(ServiceSettings):
    """Settings of a process that serves gRPC over mTLS."""

    listen: str = Field(pattern=ADDRESS, description="address of the mTLS port; port 0: any")
    max_concurrent_rpcs: int = Field(
        default=512, ge=1, le=65536, description="calls in progress before OVERLOADED"
    )
    max_connection_age_s: int = Field(
        default=30, ge=1, le=3600, description="bounds how long a revoked certificate still serves"
    )
    drain_s: int = Field(default=10, ge=1, le=300, description="grace for calls at shutdown")
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="processes behind the port, of account or sharing on PostgreSQL: one a core",
    )

    # The settings that name ports on which all processes listen.
    doors: ClassVar[tuple[str, ...]] = ("listen",)


class DatabaseSettings(GrpcSettings):
    """Settings of a service with a database of its own."""

    database_url: str | None = Field(
        default=None, description="sqlite:///… or postgresql+psycopg://…"
    )
    database_url_file: FilePath | None = Field(
        default=None, description="file that holds the URL, when it carries a password"
    )

    @model_validator(mode="after")
    def _one_url(self) -> "DatabaseSettings":
        if (self.database_url is None) == (self.database_url_file is None):
            raise ValueError("set exactly one of database_url and database_url_file")
        check_database_url(self.database_url, self.database)
        if self.processes > 1 and self.database.startswith("sqlite"):
            raise ValueError("processes: on SQLite a service is one process")
        return self

    @property
    def database(self) -> str:
        """Return the database URL."""
        if self.database_url_file is not None:
            return self.database_url_file.read_text().strip()
        return self.database_url or ""


class SealingSettings(DatabaseSettings):
    """Settings of a service that seals part of what is in its database."""

    sealing_key_file: FilePath = Field(
        description="base64 of 32 random bytes; seals what a reader of the database must not learn"
    )

    @model_validator(mode="after")
    def _key_can_be_read(self) -> "SealingSettings":
        self.sealer("check")
        return self

    def sealer(self, service: str) -> Sealer:
        """Return the service's sealer over the key in the file."""
        return Sealer.load(self.sealing_key_file, service)


def check_database_url(value: str | None, url: str) -> None:
    """Raise ValueError, naming no password, unless an engine of ours serves the URL.

    `value` is the URL when it came as a value: then it must hold no password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the database URL cannot be read") from None
    if value is not None and parsed.password:
        raise ValueError("a database URL with a password stands in a file: database_url_file")
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError("the database URL must begin with sqlite:/// or postgresql+psycopg://")
    if parsed.drivername == "sqlite":
        if not parsed.database or not Path(parsed.database).is_absolute():
            raise ValueError(
                "a SQLite database URL names an absolute file: sqlite:////path/name.db"
            )
        if not Path(parsed.database).parent.is_dir():
            raise ValueError("the directory of the SQLite file does not exist")


def load(settings: type[S]) -> S:
    """Read the settings from the environment, or end the process saying what is wrong with each."""
    try:
        return settings()
    except ValidationError as error:
        prefix = settings.model_config.get("env_prefix", "")
        for problem in error.errors(include_input=False, include_url=False):
            name = prefix + ("_".join(str(part) for part in problem["loc"]).upper() or "*")
            print(f"{name}: {problem['msg']}", file=sys.stderr)  # noqa: T201  before logs exist
        sys.exit(_EX_CONFIG)
