"""HTTPS to providers: one client, bounded in time and size, never following a redirect."""

import json
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from services.account.domain import faults

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)
_MAX_BODY = 256 << 10


def http_client(ca_file: Path | None) -> httpx.AsyncClient:
    """Make the client; `ca_file` adds a root to the system's (the sandbox's, or a proxy's)."""
    trust = ssl.create_default_context()
    if ca_file is not None:
        trust.load_verify_locations(cafile=ca_file)
    # httpx writes whole addresses at INFO, and Facebook's carry codes and secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        verify=trust,
        timeout=_TIMEOUT,
        follow_redirects=False,
        headers={"Accept": "application/json"},
        limits=httpx.Limits(max_connections=32),
        trust_env=False,
    )


class Refused(Exception):  # noqa: N818  an answer, not a crash
    """The provider answered, and the answer is no."""


class Endpoint:
    """Requests to one provider; whatever goes wrong becomes one of two words.

    PROVIDER_UNAVAILABLE when it does not answer or not sensibly, `Refused` when it says no. What it
    says beside that is not trusted to be free of the person's data and goes nowhere.
    """

    def __init__(self, client: httpx.AsyncClient, provider: str) -> None:
        self._client = client
        self._provider = provider

    async def json(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        bearer: str | None = None,
    ) -> tuple[dict[str, object], httpx.Headers]:
        """Return a JSON object and the headers that came with it."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            async with self._client.stream(
                method, url, params=query, data=form, headers=headers
            ) as response:
                body = await self._body(response)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            # The cause would carry the address, and with it codes and secrets.
            raise faults.provider_unavailable(self._provider) from None
        if response.is_client_error and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            raise Refused
        if not response.is_success:
            raise faults.provider_unavailable(self._provider)
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise faults.provider_unavailable(self._provider)
        return value, response.headers

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_BODY:
                raise faults.provider_unavailable(self._provider)
        return bytes(body)
