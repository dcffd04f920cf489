"""Whose certificates a port believes, and whom they name.

A port trusts the roots of its own region. Only where regions meet does one trust several: then a
root speaks for its own trust domain alone, since otherwise whoever runs one region could call
himself a service of any other.
"""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from runtime.call import Caller
from runtime.credentials import Credentials
from runtime.fault import Fault
from runtime.identity import holder, parse


class Trust(Protocol):
    """The roots of a port. Files are followed: they may change while the process runs."""

    def version(self) -> tuple[object, ...]:
        """Return what changes when the roots are written anew."""
        ...

    def load(self, context: ssl.SSLContext) -> None:
        """Let a TLS context verify chains against the roots."""
        ...

    def holder(self, certificate: bytes) -> Caller | None:
        """Return whom a certificate names (DER, its chain verified); None if nobody of ours."""
        ...


class OneRegion:
    """The roots of the process's own region."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self._path = credentials.trust_bundle_file
        self._region = region

    def version(self) -> tuple[object, ...]:
        """Return what changes when the roots are written anew."""
        return (self._path.stat().st_mtime_ns,)

    def load(self, context: ssl.SSLContext) -> None:
        """Let a TLS context verify chains against the roots."""
        context.load_verify_locations(self._path)

    def holder(self, certificate: bytes) -> Caller | None:
        """Return whom the certificate names in this region."""
        try:
            return holder(_uris(x509.load_der_x509_certificate(certificate)), self._region)
        except (Fault, ValueError):  # ValueError: it cannot be read
            return None


class Regions:
    """The roots of several regions: a directory with `<region>.pem` for each."""

    def __init__(self, directory: Path) -> None:
        """Read the directory; ValueError or OSError when it holds what is no root."""
        self._directory = directory
        self._seen = self.version()
        self._roots = _roots(directory)

    def version(self) -> tuple[object, ...]:
        """Return what changes when the roots are written anew."""
        return tuple((path.name, path.stat().st_mtime_ns) for path in _bundles(self._directory))

    def load(self, context: ssl.SSLContext) -> None:
        """Let a TLS context verify chains against the roots of all regions."""
        for path in _bundles(self._directory):
            context.load_verify_locations(path)

    def bundle(self, region: str) -> Path:
        """Return the file with the roots of one region."""
        return self._directory / f"{region}.pem"

    def holder(self, certificate: bytes) -> Caller | None:
        """Return whom the certificate names, if a root of the very region that it names issued it.

        TLS has verified the chain against all roots at once, which says nothing of the name.
        """
        try:
            leaf = x509.load_der_x509_certificate(certificate)
            uris = _uris(leaf)
        except ValueError:  # it cannot be read
            return None
        caller = parse(uris[0]) if len(uris) == 1 else None
        if caller is None:
            return None
        roots = self._current().get(caller.region, ())
        return caller if any(_issued(leaf, root) for root in roots) else None

    def _current(self) -> Mapping[str, Sequence[x509.Certificate]]:
        try:
            version = self.version()
            if version != self._seen:
                self._roots, self._seen = _roots(self._directory), version
        except (OSError, ValueError):  # being written this moment: the next connection
            pass
        return self._roots


def _bundles(directory: Path) -> list[Path]:
    return sorted(directory.glob("[a-z][a-z].pem"))


def _roots(directory: Path) -> dict[str, list[x509.Certificate]]:
    return {
        path.stem: x509.load_pem_x509_certificates(path.read_bytes())
        for path in _bundles(directory)
    }


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


def _issued(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
