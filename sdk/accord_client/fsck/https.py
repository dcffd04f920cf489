"""A published log read over HTTPS, with a client certificate or a bearer token."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from accord_client.fsck.report import ForbiddenError
from accord_client.fsck.tiles import HISTORY, MAX_FILE

_TIMEOUT_S = 30.0
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


@dataclass
class Website:
    """The prefix of a log.

    The server must prove to be the audit service of the region. Who reads shows a client
    certificate (its file and its key's) or a bearer token. A connection belongs to one process,
    and is opened when it is first needed.
    """

    url: str
    region: str
    trust_bundle_file: Path
    certificate: tuple[Path, Path] | None = None
    token: str | None = field(default=None, repr=False)
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
        """A file, None if the server says that there is none; OSError for any other answer.

        Raises ForbiddenError if it answers that the caller may not read.
        """
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
            tls = ssl.create_default_context(cafile=self.trust_bundle_file)
            tls.minimum_version = ssl.TLSVersion.TLSv1_3
            if self.certificate is not None:
                tls.load_cert_chain(*self.certificate)
            name = f"audit.{self.region}.accord.internal"
            self._connection = _Connection(parts.hostname, parts.port or 443, tls, name)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self._connection.request("GET", f"{parts.path.rstrip('/')}/{path}", headers=headers)
        answer = self._connection.getresponse()
        content = answer.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            self.close()  # the rest of it is not read
            raise OSError(f"the server sends more than {MAX_FILE} bytes")
        if answer.status == HTTPStatus.OK:
            return content
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status in _REFUSED:
            raise ForbiddenError(f"the server answers {answer.status} {answer.reason}")
        raise OSError(f"the server answers {answer.status} {answer.reason}")


class _Connection(http.client.HTTPSConnection):
    """Verifies who answers by the name in the certificate, wherever the port is."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, name: str) -> None:
        self._tls = tls
        self._name = name
        super().__init__(host, port, timeout=_TIMEOUT_S, context=tls)

    def connect(self) -> None:
        """Connects, and shakes hands under the name that must answer."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
