"""Receipts of consent: what sharing signed for a person, verified offline by anyone.

The file is JSON ``{"receipt": …, "jws": …}``. Proved, in this order:

1. **Key and signature.** One of the keys given signed the claims (ES256, ``accord-receipt+jwt``).
2. **Content.** The receipt that people read is, value for value, the one that was signed.
3. **Format.** It is a receipt of ISO/IEC TS 27560 in the W3C Data Privacy Vocabulary, in the one
   shape that is defined (``receipt.schema.json``).

Not proved: that the consent still stands, since receipts are not taken back; nor who the person is.
The keys must come from elsewhere than the file: from KeyService, or from the region's portal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from accord_client import jws
from accord_client.failure import VerificationError
from accord_client.jws import Keys

MAX_BYTES = 1 << 20
_TYPE = "accord-receipt+jwt"
_PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt"
_ISSUER = re.compile(r"spiffe://([a-z]{2})\.accord\.internal/svc/sharing")


@dataclass(frozen=True, slots=True)
class Step:
    """One step in the life of a consent; terms are short names, ``dpv:ConsentGiven``."""

    state: str
    time: str  # ISO 8601, UTC
    by: str  # empty when nobody did it: an expiry
    name: str  # of a guardian or representative, else empty
    method: str
    notice: str  # what was shown, empty unless it is an answer
    language: str
    until: str  # when a consent ends by itself, empty: when it is withdrawn


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a verified receipt says."""

    id: str
    region: str  # whose sharing service signed it
    signed: datetime
    controller: str
    account: str  # accounts/… or guests/<session>
    consent: str  # behind that, /consents/…
    service: str  # empty: any
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    recipient: str
    steps: tuple[Step, ...]  # in the order of time; the last is how it stood


def verify(content: bytes, keys: Keys) -> Receipt:
    """What a receipt says, if one of the keys signed all of it.

    Raises VerificationError with the obligation that is not met: ``format``, ``key``,
    ``signature``, ``content`` or ``issuer``.
    """
    if len(content) > MAX_BYTES:
        raise VerificationError("format", "the file is too large for a receipt")
    try:
        file = json.loads(content)
        shown, token = file["receipt"], file["jws"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise VerificationError("format", "the file is no receipt") from None
    if not isinstance(token, str):
        raise VerificationError("format", "the file is no receipt")
    claims = jws.claims(token, keys, typ=_TYPE, most=MAX_BYTES)
    if claims.get("receipt") != shown:
        raise VerificationError("content", "what is shown is not what was signed")
    issuer = _ISSUER.fullmatch(str(claims.get("iss")))
    if issuer is None:
        raise VerificationError("issuer", "it is not a sharing service that signed")
    try:
        return _receipt(shown, issuer[1], claims["iat"])
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise VerificationError("format", f"a part is missing or malformed: {error}") from None


def _receipt(shown: Mapping[str, Any], region: str, issued: int) -> Receipt:
    if (shown["@type"], shown["dct:conformsTo"]) != ("dpv:ConsentReceipt", _PROFILE):
        raise ValueError("@type")
    record = shown["dpv:hasRecordOfActivity"]
    process = record["dpv:hasProcess"]
    return Receipt(
        id=_text(shown["dct:identifier"]),
        region=region,
        signed=datetime.fromtimestamp(issued, UTC),
        controller=_text(record["dpv:hasDataController"]["dpv:hasName"]),
        account=_text(record["dpv:hasDataSubject"]["dct:identifier"]),
        consent=_text(record["dct:identifier"]),
        service=_term(process["dpv:hasService"]) if "dpv:hasService" in process else "",
        purposes=_terms(process["dpv:hasPurpose"]),
        categories=_terms(process["dpv:hasPersonalData"]),
        recipient=_recipient(process["dpv:hasRecipient"][0]),
        steps=tuple(map(_step, record["dpv:hasConsentStatus"])),
    )


def _step(status: Mapping[str, Any]) -> Step:
    by: Any = status.get("dpv:isIndicatedBy", "")
    named = isinstance(by, dict) and "dpv:hasName" in by
    notice = status.get("dpv:hasNotice", {})
    duration = status.get("dpv:hasDuration", {})
    ends = duration.get("@type") == "dpv:UntilTimeDuration"
    return Step(
        state=_term(status["@type"][0]),
        time=_text(status["dpv:isIndicatedAtTime"]),
        by=_term(by["skos:broader"] if named else by),
        name=_text(by["dpv:hasName"]) if named else "",
        method=_text(status.get("dpv:hasIndicationMethod", "")),
        notice=_text(notice.get("dct:identifier", "")),
        language=_text(notice.get("dct:language", "")),
        until=_text(duration["rdf:value"]) if ends else "",
    )


def _recipient(value: object) -> str:
    """An organisation by its names, a kind by its term."""
    if isinstance(value, dict) and "dpv:hasName" in value:
        return f"{_text(value['dpv:hasName'])} ({_text(value['dct:identifier'])})"
    return _term(value)


def _terms(values: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not values:
        raise TypeError("a list is needed")
    return tuple(map(_term, values))


def _term(value: object) -> str:
    return _text(value["@id"] if isinstance(value, dict) else value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is needed")
    return value
