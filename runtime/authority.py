"""A certificate authority for laptops and tests: one per trust domain, issuing X.509-SVIDs.

In a data center the platform issues certificates; this one exists so that mTLS is never switched
off. Its key lies beside its certificate: whoever can read it can be anyone in that domain.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ROOT_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=30)
_BACKDATE = timedelta(minutes=5)  # so that a clock a little behind accepts a new certificate


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, PEM."""

    certificate: bytes
    key: bytes

    def write(self, stem: Path) -> None:
        """Write `<stem>.crt` and `<stem>.key`, the key readable by its owner alone."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        key = stem.with_suffix(".key")
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        stem.with_suffix(".crt").write_bytes(self.certificate)


@dataclass(frozen=True, slots=True)
class Authority:
    """The root of one trust domain."""

    trust_domain: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(
        cls, trust_domain: str, *, hosts: Sequence[str] = (), networks: Sequence[str] = ()
    ) -> Self:
        """Make a new root; with `hosts` and `networks`, one that is believed for those alone."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} root")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder()
        if hosts or networks:
            permitted: list[x509.GeneralName] = [x509.DNSName(host) for host in hosts]
            permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in networks]
            builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
        certificate = (
            builder.subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + _ROOT_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        return cls(trust_domain, certificate, key)

    @classmethod
    def read(cls, trust_domain: str, stem: Path) -> Self:
        """Read a root that `write` has written."""
        key = serialization.load_pem_private_key(stem.with_suffix(".key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the root key is not an elliptic-curve key")
        certificate = x509.load_pem_x509_certificate(stem.with_suffix(".crt").read_bytes())
        return cls(trust_domain, certificate, key)

    def write(self, stem: Path) -> None:
        """Write the root's certificate and key."""
        Issued(self.pem, _pem(self.key)).write(stem)

    @property
    def pem(self) -> bytes:
        """Return the certificate, the trust bundle of the domain."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        path: str = "",
        *,
        dns: Sequence[str] = (),
        ips: Sequence[str] = (),
        life: timedelta = _LEAF_LIFE,
    ) -> Issued:
        """Issue a certificate for `spiffe://<trust domain>/<path>` and the host names given."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
        names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
        if path:
            names.append(x509.UniformResourceIdentifier(f"spiffe://{self.trust_domain}/{path}"))
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path or dns[0])]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Issued(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
