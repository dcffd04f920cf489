"""The files that prove who a process is, and their rotation without a restart.

Certificates are renewed by writing the files anew. A server re-reads them at each handshake;
grpcio's client cannot, so `runtime.channel` makes a new channel when they changed. During a change
of root the bundle holds the old and the new one.
"""

from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True, slots=True)
class Credentials:
    """Paths of a certificate chain, its private key and the roots to trust, all PEM."""

    certificate_file: Path
    key_file: Path
    trust_bundle_file: Path

    def version(self) -> tuple[int, ...]:
        """Return what changes when any of the files is written anew."""
        paths = (self.certificate_file, self.key_file, self.trust_bundle_file)
        return tuple(path.stat().st_mtime_ns for path in paths)

    def for_client(self) -> grpc.ChannelCredentials:
        """Read the files into credentials for outgoing calls."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.trust_bundle_file.read_bytes(),
            private_key=self.key_file.read_bytes(),
            certificate_chain=self.certificate_file.read_bytes(),
        )

    def for_server(self) -> grpc.ServerCredentials:
        """Make credentials that demand a client certificate and follow the files."""
        served = self.version()

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal served
            try:
                version = self.version()
                if version == served:
                    return None
                configuration = self._configuration()
            except OSError:
                return None  # being written this moment: the next handshake sees it whole
            served = version
            return configuration

        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            fetch,  # type: ignore[arg-type]  # None means unchanged, which the stubs do not know
            require_client_authentication=True,
        )

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.key_file.read_bytes(), self.certificate_file.read_bytes())],
            root_certificates=self.trust_bundle_file.read_bytes(),
        )
