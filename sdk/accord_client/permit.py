"""Permits: signed decisions of sharing, verified here without asking anybody.

A permit is a JWS (RFC 7515) in compact form, ES256, of type ``accord-permit+jwt``. What it says
holds until it expires, and only as long as Watch, heard within the last second, does not name one
of its ``watch`` keys: ``accord_client.guard`` keeps to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accord.sharing.v1.decision_pb2 import Question

from accord_client import jws
from accord_client.failure import VerificationError
from accord_client.jws import Keys

LEEWAY_S = 5.0  # clocks of one data center differ by less
MAX_LIFE_S = 300  # none lives longer, whatever it says
_MAX_BYTES = 1 << 16
_TYPE = "accord-permit+jwt"


@dataclass(frozen=True, slots=True)
class Permit:
    """What a verified permit says."""

    decision: str  # decisions/…, to be named when what was sent is recorded
    holder: str  # whose data: accounts/… or guests/<session>; empty: nobody's
    audience: str  # SPIFFE id of the app that asked, and alone may act on it or show it
    service: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    destination: str
    obligations: tuple[str, ...]
    contract: str
    rulebook: str  # digest
    token: str  # all that was altered up to here is in it
    watch: tuple[str, ...]  # the keys by which Watch revokes it
    issued: int  # seconds since 1970
    expires: int

    def covers(self, sending: Question) -> bool:
        """Whether it permits to send what a question names, all of it and to nobody else.

        A service or a destination that the question leaves open is not compared.
        """
        guest = f"guests/{sending.guest.session}"
        return (
            self.holder == (guest if sending.HasField("guest") else sending.account)
            and self.recipient == sending.recipient
            and self.purpose == sending.purpose
            and bool(sending.categories)
            and set(sending.categories) <= set(self.categories)
            and sending.service in ("", self.service)
            and sending.destination in ("", self.destination)
        )


def key_id(text: str) -> str:
    """The id of the key that a permit says it is signed with; nothing is verified yet."""
    return jws.key_id(text, _TYPE)


def verify(text: str, keys: Keys, *, region: str, audience: str, now: float) -> Permit:
    """What a permit says, if it is sharing's, for this audience and not expired.

    ``audience`` is the SPIFFE id of the app that asked for it, ``now`` seconds since 1970.
    Raises VerificationError with the obligation that is not met: ``format``, ``key``,
    ``signature``, ``issuer``, ``audience`` or ``time``.
    """
    claims = jws.claims(text, keys, typ=_TYPE, most=_MAX_BYTES)
    permit = _permit(claims)
    if claims.get("iss") != f"spiffe://{region}.accord.internal/svc/sharing":
        raise VerificationError("issuer", "the permit is another region's")
    if permit.audience != audience:
        raise VerificationError("audience", "the permit is for another app")
    if permit.expires - permit.issued > MAX_LIFE_S:
        raise VerificationError("time", "the permit lives too long")
    if not permit.issued - LEEWAY_S <= now < permit.expires:
        raise VerificationError("time", "the permit is not valid now")
    return permit


def _permit(claims: Mapping[str, Any]) -> Permit:
    try:
        return Permit(
            decision=_text(claims, "jti"),
            holder=_text(claims, "sub") if "sub" in claims else "",
            audience=_text(claims, "aud"),
            service=_text(claims, "service"),
            recipient=_text(claims, "recipient"),
            purpose=_text(claims, "purpose"),
            categories=_texts(claims, "categories"),
            destination=_text(claims, "destination"),
            obligations=_texts(claims, "obligations"),
            contract=_text(claims, "contract"),
            rulebook=_text(claims, "rulebook"),
            token=_text(claims, "token"),
            watch=_texts(claims, "watch"),
            issued=_seconds(claims, "iat"),
            expires=_seconds(claims, "exp"),
        )
    except (KeyError, TypeError) as error:
        raise VerificationError("format", f"a claim is missing or malformed: {error}") from None


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _texts(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = claims[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(name)
    return tuple(values)


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if type(value) is not int:
        raise TypeError(name)
    return value
