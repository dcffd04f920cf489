"""Where a recipient takes revocation notices, and which addresses may be called at all.

An officer enters the address, so a slip or a captured account could aim our notices at our own
network. Public addresses alone are called; names are judged by what they resolve to, at each
sending. A sandbox may allow the loopback, and there plain http.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from runtime.fault import invalid

_MAX_URL = 400
_MAX_LABEL = 63  # of a name, between its dots (RFC 1035 §2.3.4)
_HTTPS_PORT = 443
# Addresses of IPv6 that carry one of IPv4 inside, which a translator would reach (RFC 6052, 8215).
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address, empty when it was taken back; who set it, and when."""

    recipient: str
    url: str
    setter: str = ""
    set: datetime | None = None


def check_url(field: str, url: str, *, loopback: bool) -> None:
    """Refuse what is no plain https address, or names an address that is never called."""
    if len(url) > _MAX_URL or not url.isascii() or any(char <= " " for char in url):
        raise invalid(field, f"must have at most {_MAX_URL} visible characters of ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise invalid(field, "is no address") from None
    if not host or "@" in parts.netloc or parts.fragment or "\\" in url:
        raise invalid(field, "must name a host, and no user, password or fragment")
    literal = _literal(host)
    labels = host.removesuffix(".").split(".")
    if literal is None and not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise invalid(field, "must name a host that can exist")
    if port not in (None, _HTTPS_PORT) and not loopback:
        raise invalid(field, f"must use port {_HTTPS_PORT}")  # the one that the network lets out
    if parts.scheme != "https" and not (loopback and _is_loopback_http(parts)):
        raise invalid(field, "must be https")
    if literal and not callable_address(literal, loopback=loopback):
        raise invalid(field, "must be a public address")


def callable_address(address: IPv4Address | IPv6Address, *, loopback: bool) -> bool:
    """Tell whether an address may be called: a public one, or the loopback in a sandbox."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner:
            return callable_address(inner, loopback=loopback)
        if address.teredo or any(address in network for network in _TRANSLATED):
            return False
    if address.is_loopback:
        return loopback
    return address.is_global and not address.is_multicast


def _is_loopback_http(parts: SplitResult) -> bool:
    literal = _literal(parts.hostname or "")
    return parts.scheme == "http" and literal is not None and literal.is_loopback


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
