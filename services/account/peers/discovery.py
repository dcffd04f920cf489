"""What an OpenID provider says of itself, and the keys it signs with, each kept for a while."""

import asyncio
import re
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from httpx import Headers
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.account.domain import faults
from services.account.peers.http import Endpoint, Refused

_DISCOVERY_S = 3600.0
_KEYS_LEAST_S, _KEYS_MOST_S = 60.0, 86_400.0
_REFETCH_S = 5.0  # a made-up key id makes us ask no more often
_MAX_AGE = re.compile(r"max-age=(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The parts of a discovery document that we use."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    returns_iss: bool  # RFC 9207


class Discovery:
    """One issuer's discovery document and key set.

    The document is believed only if it names the very issuer that was configured (OpenID Connect
    Discovery 1.0 §4.3) and points to hosts that the configuration allows: whoever can change it
    must not be able to have our client secret sent elsewhere.
    """

    def __init__(
        self, endpoint: Endpoint, provider: str, issuer: str, hosts: frozenset[str]
    ) -> None:
        self._endpoint = endpoint
        self._provider = provider
        self._issuer = issuer
        self._hosts = hosts
        self._reading = asyncio.Lock()  # however many sign in at once, one asks
        self._metadata: Metadata | None = None
        self._metadata_until = float("-inf")
        self._keys: KeySet | None = None
        self._keys_until = float("-inf")
        self._keys_fetched = float("-inf")

    async def metadata(self) -> Metadata:
        """Return the document, at most an hour old."""
        async with self._reading:
            if self._metadata is None or time.monotonic() >= self._metadata_until:
                document, _ = await self._get(self._issuer + "/.well-known/openid-configuration")
                self._metadata = self._read(document)
                self._metadata_until = time.monotonic() + _DISCOVERY_S
            return self._metadata

    async def keys(self, kid: object) -> KeySet:
        """Return the key set, anew when it is too old or lacks the key asked for."""
        address = (await self.metadata()).jwks_uri
        async with self._reading:
            return await self._current_keys(kid, address)

    async def _current_keys(self, kid: object, address: str) -> KeySet:
        now = time.monotonic()
        fresh = self._keys is not None and now < self._keys_until
        known = self._keys is not None and any(key.kid == kid for key in self._keys.keys)
        may_ask = now >= self._keys_fetched + _REFETCH_S
        if self._keys is None or (may_ask and not (fresh and known)):
            document, headers = await self._get(address)
            try:
                # What we cannot use (other key types, symmetric keys) is none of our concern.
                rows = document["keys"]
                usable = [row for row in rows if row.get("kty") in {"RSA", "EC"}]  # type: ignore[attr-defined]  # shape checked by the except
                self._keys = KeySet.import_key_set({"keys": usable})
            except (JoseError, KeyError, TypeError, AttributeError, ValueError):
                raise faults.provider_unavailable(self._provider) from None
            self._keys_fetched = now
            self._keys_until = now + _life(headers)
        return self._keys

    async def _get(self, url: str) -> tuple[dict[str, object], Headers]:
        try:
            return await self._endpoint.json("GET", url)
        except Refused:
            raise faults.provider_unavailable(self._provider) from None

    def _read(self, document: dict[str, object]) -> Metadata:
        if document.get("issuer") != self._issuer:
            raise faults.provider_unavailable(self._provider)
        userinfo = document.get("userinfo_endpoint")
        return Metadata(
            authorization_endpoint=self._address(document.get("authorization_endpoint")),
            token_endpoint=self._address(document.get("token_endpoint")),
            jwks_uri=self._address(document.get("jwks_uri")),
            userinfo_endpoint=None if userinfo is None else self._address(userinfo),
            returns_iss=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(self, value: object) -> str:
        if isinstance(value, str):
            parts = urlsplit(value)
            if parts.scheme == "https" and parts.netloc in self._hosts:
                return value
        raise faults.provider_unavailable(self._provider)


def _life(headers: Headers) -> float:
    match = _MAX_AGE.search(headers.get("Cache-Control", ""))
    stated = float(match[1]) if match else _KEYS_LEAST_S
    return min(max(stated, _KEYS_LEAST_S), _KEYS_MOST_S)
