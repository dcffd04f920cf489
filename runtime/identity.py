"""From the client certificate to a Caller.

`spiffe://<region>.accord.internal/svc/<service>`, `…/app/<app>`, `…/staff/<role>/<id>`. TLS has
already checked the chain against the roots of this region; here the URI must be of this region's
trust domain too, so that a root trusted by mistake gives no identity.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from runtime.call import Caller
from runtime.fault import Fault

_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
_SPIFFE = re.compile(
    r"spiffe://(?P<region>[a-z]{2})\.accord\.internal/"
    rf"(?:(?P<kind>svc|app)/(?P<name>{_NAME})|staff/(?P<role>{_NAME})/(?P<staff>{_NAME}))"
)


def caller_of(auth_context: Mapping[str, Sequence[bytes]], region: str) -> Caller:
    """Return who holds a connection; IDENTITY_UNKNOWN without exactly one id of this region."""
    ids = auth_context.get("peer_spiffe_id", ())
    return holder([each.decode("ascii", "replace") for each in ids], region)


def holder(ids: Sequence[str], region: str) -> Caller:
    """Return whom the ids of a certificate name: IDENTITY_UNKNOWN unless one, of this region."""
    caller = parse(ids[0]) if len(ids) == 1 else None
    if caller is None or caller.region != region:
        raise Fault("IDENTITY_UNKNOWN", "the certificate names no identity of this region")
    return caller


def is_workload(name: str) -> bool:
    """Tell whether a name is the SPIFFE id of an app or a service, and so names no person."""
    caller = parse(name) if name.startswith("spiffe://") else None
    return caller is not None and caller.kind != "staff"


@lru_cache(maxsize=1024)
def parse(spiffe_id: str) -> Caller | None:
    """Return the caller that a SPIFFE id names, None when it is not of our grammar."""
    match = _SPIFFE.fullmatch(spiffe_id)
    if match is None:
        return None
    region = match["region"]
    if match["kind"] == "svc":
        return Caller("svc", match["name"], "", region, spiffe_id)
    if match["kind"] == "app":
        return Caller("app", match["name"], "", region, spiffe_id)
    return Caller("staff", match["staff"], match["role"], region, spiffe_id)
