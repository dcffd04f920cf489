"""Reads the bearer tokens of tools without a certificate: for each the SHA-256 and the app it is.

One a line, `<64 lower-case hexadecimal digits> <app>`; `#` begins a comment. A token is 32 random
bytes or more, so that its plain digest gives nothing away. An app may have two, for a change.
"""

import hashlib
import hmac
import re
from collections.abc import Container
from pathlib import Path

from runtime import logs
from runtime.call import Caller
from runtime.fault import Fault
from runtime.identity import parse
from runtime.secret_file import read_secret

log = logs.get(__name__)

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})[ \t]+(?P<app>[a-z0-9][a-z0-9_-]{0,62})")
_LONGEST = 512  # characters of a token


class BearersError(Exception):
    """The file of tokens cannot be used; the process must not start."""


class Bearers:
    """Which app holds a token. Follows its file; one that cannot be read any more admits nobody."""

    def __init__(self, path: Path | None, apps: Container[str] | None, region: str) -> None:
        """Read the file; BearersError when it cannot be used. `apps` None: whoever it names."""
        self._path = path
        self._apps = apps
        self._region = region
        self._version = self._stat()
        self._found = self._read()

    def caller(self, certificate: Caller | None, authorization: str | None) -> Caller:
        """Return who calls: IDENTITY_UNKNOWN without either, or when the two name two."""
        if authorization is None:
            if certificate is None:
                raise Fault("IDENTITY_UNKNOWN", "a client certificate or a bearer token is needed")
            return certificate
        scheme, _, token = authorization.partition(" ")
        app = self.app_of(token.strip()) if scheme.lower() == "bearer" else None
        caller = parse(f"spiffe://{self._region}.accord.internal/app/{app}") if app else None
        if caller is None or certificate not in {None, caller}:
            raise Fault("IDENTITY_UNKNOWN", "this bearer token is nobody's")
        return caller

    def app_of(self, token: str) -> str | None:
        """Return the app that holds a token, None when nobody does."""
        self._follow()
        if not token.isascii() or len(token) > _LONGEST:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        holder = None
        for known, app in self._found:  # all of them: how long it takes says nothing
            if hmac.compare_digest(known, digest):
                holder = app
        return holder

    def _follow(self) -> None:
        try:
            version = self._stat()
            if version != self._version:
                self._version, self._found = version, self._read()
        except (OSError, BearersError):
            self._version, self._found = 0, ()
            log.warning("bearer tokens not read")

    def _stat(self) -> int:
        return self._path.stat().st_mtime_ns if self._path else 0

    def _read(self) -> tuple[tuple[bytes, str], ...]:
        if self._path is None:
            return ()
        try:
            text = read_secret(self._path)
        except (OSError, ValueError) as error:
            raise BearersError(f"{self._path.name}: {error}") from error
        found = []
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.partition("#")[0].strip()
            if not words:
                continue
            match = _LINE.fullmatch(words)
            if match is None:
                raise BearersError(f"{self._path.name}:{number}: not `<sha-256> <app>`")
            if self._apps is not None and match["app"] not in self._apps:
                raise BearersError(f"{self._path.name}:{number}: {match['app']} is no app")
            found.append((bytes.fromhex(match["digest"]), match["app"]))
        return tuple(found)
