"""A published log read over HTTPS, with a client certificate or a bearer token."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from accord_client.fsck.tiles import HISTORY, MAX_FILE
from accord_client.profile import Profile

_TIMEOUT_S = 30.0
_OK, _NOT_FOUND = 200, 404


@dataclass
class Website:
    """The prefix of a log.

    The server must prove to be the audit service of the profile's region. A connection belongs to
    one process, and is opened when it is first needed.
    """

    url: str
    profile: Profile
    token: str | None = None
    _connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """ValueError for what is no HTTPS address."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{self.url} is not the https address of a log")

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_connection": None}

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read(self, path: str) -> bytes | None:
        """A file, None if the server says that there is none; OSError for any other answer."""
        if path == HISTORY:
            return None  # is not served
        try:
            return self._get(path)
        except (http.client.HTTPException, ConnectionError):
            # A connection ends at its age, and may do so while it is asked: once more, on another.
            self.close()
            try:
                return self._get(path)
            except http.client.HTTPException as error:
                raise OSError(f"{type(error).__name__} from {self.url}") from error

    def lines(self, _path: str, _most: int) -> Iterator[bytes] | None:
        """The history is not served."""
        return None

    def names(self) -> Iterator[str] | None:
        """Files cannot be listed over HTTPS."""
        return None

    def _get(self, path: str) -> bytes | None:
        parts = urlsplit(self.url)
        if self._connection is None:
            assert parts.hostname  # noqa: S101 -- looked at when this was made
            self._connection = _Connection(parts.hostname, parts.port or 443, self.profile)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self._connection.request("GET", f"{parts.path.rstrip('/')}/{path}", headers=headers)
        answer = self._connection.getresponse()
        content = answer.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            self.close()  # the rest of it is not read
            raise OSError(f"the server sends more than {MAX_FILE} bytes")
        if answer.status == _OK:
            return content
        if answer.status == _NOT_FOUND:
            return None
        raise OSError(f"the server answers {answer.status} {answer.reason}")


class _Connection(http.client.HTTPSConnection):
    """Verifies who answers by the name in the certificate, wherever the port is."""

    def __init__(self, host: str, port: int, profile: Profile) -> None:
        self._tls = ssl.create_default_context(cafile=profile.trust_bundle_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._tls.load_cert_chain(profile.certificate_file, profile.key_file)
        self._name = f"audit.{profile.region}.accord.internal"
        super().__init__(host, port, timeout=_TIMEOUT_S, context=self._tls)

    def connect(self) -> None:
        """Connects, and shakes hands under the name that must answer."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
