"""The providers of a region, read once from a YAML file: to add one is a change of data.

Paths in the file are relative to it. Secrets are files. A file that says anything unknown, or
misses anything, ends the start with a sentence for each mistake.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import httpx
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from runtime.clock import Clock
from runtime.secret_file import read_secret
from services.account.domain import faults, profile
from services.account.domain.home import COUNTRIES
from services.account.domain.ports import IdentityProvider
from services.account.domain.provider import EmailAuthority, Provider
from services.account.peers.discovery import Discovery
from services.account.peers.facebook import FacebookApp, FacebookProvider
from services.account.peers.http import Endpoint
from services.account.peers.oidc import OidcClient, OidcProvider

Https = Annotated[str, Field(pattern=r"^https://[^\s?#]+[^\s?#/]$")]
Countries = frozenset[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Availability(_Strict):
    """Where a provider is on offer: everywhere, only in some countries, or not in some."""

    only_in: Countries | None = None
    not_in: Countries = frozenset()

    @model_validator(mode="after")
    def _known(self) -> "_Availability":
        unknown = ((self.only_in or frozenset()) | self.not_in) - COUNTRIES
        if unknown:
            raise ValueError(f"no such country: {', '.join(sorted(unknown))}")
        return self


class _Common(_Strict):
    key: str = Field(pattern=r"^[a-z][a-z0-9]{0,31}$")
    title: str = Field(min_length=1, max_length=50)
    issuer: Https
    client_id: str = Field(min_length=1)
    client_secret_file: Path
    availability: _Availability = _Availability()


class _EmailAuthority(_Strict):
    domains: frozenset[str] = frozenset()
    hosted: bool = False


class OidcConfig(_Common):
    """A provider that speaks OpenID Connect."""

    kind: Literal["oidc"]
    issuer_aliases: tuple[str, ...] = ()
    hosts: frozenset[str] = Field(min_length=1)  # to which its discovery may point
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    parameters: dict[str, str] = Field(default_factory=dict)
    email_authority: _EmailAuthority = _EmailAuthority()

    @model_validator(mode="after")
    def _is_openid(self) -> "OidcConfig":
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        return self


class FacebookConfig(_Common):
    """Facebook; `issuer` is what links are kept under, since Facebook names none itself."""

    kind: Literal["facebook"]
    dialog: Https
    graph: Https
    version: str = Field(pattern=r"^v\d{1,3}\.\d$")


class _File(_Strict):
    providers: tuple[Annotated[OidcConfig | FacebookConfig, Field(discriminator="kind")], ...] = (
        Field(min_length=1, max_length=20)
    )

    @model_validator(mode="after")
    def _unambiguous(self) -> "_File":
        for what in ("key", "issuer"):
            values = [getattr(provider, what) for provider in self.providers]
            if len(set(values)) != len(values):
                raise ValueError(f"two providers have the same {what}")
        return self


class ProviderFileError(ValueError):
    """The providers' file cannot be used; the message says why, without its values."""


class Directory:
    """`domain.ports.Providers` over the file."""

    def __init__(self, peers: Sequence[IdentityProvider], portal_origin: str) -> None:
        self._peers = {peer.provider.key: peer for peer in peers}
        self._portal = portal_origin

    @classmethod
    def load(
        cls, path: Path, portal_origin: str, client: httpx.AsyncClient, clock: Clock
    ) -> "Directory":
        """Read the file; ProviderFileError when it cannot be used."""
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            configs = _File.model_validate(document).providers
            peers = [_peer(config, path.parent, client, clock) for config in configs]
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            lines = [f"{'.'.join(str(p) for p in row['loc'])}: {row['msg']}" for row in problems]
            raise ProviderFileError("; ".join(lines)) from None
        except yaml.YAMLError:
            raise ProviderFileError("it is no YAML") from None
        except OSError as error:
            raise ProviderFileError(f"{error.filename}: {error.strerror}") from None
        return cls(peers, portal_origin)

    def all(self) -> Sequence[Provider]:
        """Return the providers in the file's order."""
        return [peer.provider for peer in self._peers.values()]

    def get(self, key: str) -> IdentityProvider:
        """Return one."""
        if key not in self._peers:
            raise faults.provider_unknown(key)
        return self._peers[key]

    def callback(self, key: str) -> str:
        """Return a provider's own callback address: one each, against mix-up (RFC 9700 §4.4)."""
        return f"{self._portal}/callback/{key}"


def _peer(
    config: OidcConfig | FacebookConfig, base: Path, client: httpx.AsyncClient, clock: Clock
) -> IdentityProvider:
    provider = Provider(
        key=config.key,
        title=config.title,
        issuer=config.issuer,
        fields=tuple(profile.Field),
        only_in=config.availability.only_in,
        not_in=config.availability.not_in,
    )
    secret = read_secret(base / config.client_secret_file)
    if not secret:
        raise ProviderFileError(f"the secret of {config.key} is empty")
    endpoint = Endpoint(client, config.key)
    if isinstance(config, FacebookConfig):
        app = FacebookApp(config.client_id, secret, config.dialog, config.graph, config.version)
        return FacebookProvider(provider, app, endpoint, clock)
    oidc = OidcClient(
        client_id=config.client_id,
        client_secret=secret,
        issuer_aliases=config.issuer_aliases,
        scopes=config.scopes,
        parameters=tuple(config.parameters.items()),
        email_authority=EmailAuthority(
            config.email_authority.domains, config.email_authority.hosted
        ),
    )
    discovery = Discovery(endpoint, config.key, config.issuer, config.hosts)
    return OidcProvider(provider, oidc, endpoint, discovery, clock)
