"""A permit is believed only if sharing signed it, for us, and it has not expired."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from accord.sharing.v1.decision_pb2 import Guest, Question
from accord_client.failure import VerificationError
from accord_client.jws import Keys
from accord_client.permit import LEEWAY_S, Permit, verify
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

NOW = 1_780_000_000
AUDIENCE = "spiffe://nl.accord.internal/app/mi-store"
TYPE = "accord-permit+jwt"
KEY = ECKey.import_key(  # RFC 7517 appendix A.2; a key of nobody
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "kid": "one",
    }
)
OTHER = ECKey.generate_key("P-256", {"kid": "two"})
CLAIMS: dict[str, Any] = {
    "iss": "spiffe://nl.accord.internal/svc/sharing",
    "sub": "accounts/nl-0",
    "aud": AUDIENCE,
    "jti": "decisions/nl-1",
    "iat": NOW,
    "exp": NOW + 300,
    "service": "mi_store",
    "recipient": "recipients/dhl",
    "purpose": "delivery",
    "categories": ["contact.name"],
    "destination": "DE",
    "obligations": ["record_disclosure"],
    "contract": "contracts/c-1/versions/1",
    "rulebook": "0" * 64,
    "token": "nl-1",
    "watch": ["recipients/dhl", "x"],
}


def shown(*keys: ECKey) -> Keys:
    return Keys(json.dumps(KeySet(list(keys)).as_dict(private=False)))


def signed(claims: Any = CLAIMS, key: ECKey = KEY, **header: Any) -> str:
    protected = {"alg": "ES256", "kid": key.kid, "typ": TYPE} | header
    registry = jws.JWSRegistry(strict_check_header=False)
    return jws.serialize_compact(protected, json.dumps(claims), key, registry=registry)


def read(text: str, keys: Keys | None = None, now: float = NOW) -> Permit:
    return verify(text, keys or shown(KEY), region="nl", audience=AUDIENCE, now=now)


def unmet(text: str, keys: Keys | None = None, now: float = NOW) -> str:
    with pytest.raises(VerificationError) as refused:
        read(text, keys, now)
    return refused.value.obligation


def test_what_it_says_is_read() -> None:
    permit = read(signed())
    assert permit.decision == "decisions/nl-1"
    assert permit.holder == "accounts/nl-0"
    assert permit.categories == ("contact.name",)
    assert permit.watch == ("recipients/dhl", "x")
    assert (permit.issued, permit.expires) == (NOW, NOW + 300)
    nobody = {name: value for name, value in CLAIMS.items() if name != "sub"}
    assert read(signed(nobody)).holder == ""


def test_another_region_s_another_app_s_and_other_hands_are_refused() -> None:
    assert unmet(signed(CLAIMS | {"iss": "spiffe://in.accord.internal/svc/sharing"})) == "issuer"
    assert unmet(signed(CLAIMS | {"iss": "spiffe://nl.accord.internal/svc/account"})) == "issuer"
    assert unmet(signed(CLAIMS | {"aud": AUDIENCE + "x"})) == "audience"
    assert unmet(signed(CLAIMS | {"aud": [AUDIENCE]})) == "format"
    assert unmet(signed(key=OTHER)) == "key"
    assert unmet(signed(key=OTHER, kid="one")) == "signature"
    assert read(signed(key=OTHER), shown(KEY, OTHER)).decision == "decisions/nl-1"  # both are shown


def test_it_holds_from_when_it_was_issued_until_it_expires() -> None:
    text = signed()
    assert read(text, now=NOW + 299.9)
    assert read(text, now=NOW - LEEWAY_S)
    assert unmet(text, now=NOW + 300) == "time"
    assert unmet(text, now=NOW - LEEWAY_S - 0.1) == "time"
    assert unmet(signed(CLAIMS | {"exp": NOW + 301})) == "time"
    assert unmet(signed(CLAIMS | {"exp": NOW})) == "time"


def test_it_covers_what_it_names_and_nothing_else() -> None:
    permit = read(signed())
    sent: dict[str, Any] = {
        "account": "accounts/nl-0",
        "recipient": "recipients/dhl",
        "purpose": "delivery",
        "categories": ["contact.name"],
    }
    assert permit.covers(Question(**sent))
    assert permit.covers(Question(**sent, service="mi_store", destination="DE"))
    others: tuple[dict[str, Any], ...] = (
        {"account": "accounts/nl-1"},
        {"account": ""},
        {"account": "", "guest": Guest(session="x")},
        {"recipient": "recipients/post"},
        {"purpose": "direct_marketing"},
        {"categories": []},
        {"categories": ["contact.name", "contact.phone"]},
        {"service": "mi_com"},
        {"destination": "US"},
    )
    for more in others:
        assert not permit.covers(Question(**(sent | more)))
    guests = read(signed(CLAIMS | {"sub": "guests/x"}))
    assert guests.covers(Question(**(sent | {"account": "", "guest": Guest(session="x")})))
    assert not guests.covers(Question(**(sent | {"account": "guests/x", "guest": Guest()})))


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_no_other_algorithm_type_or_critical_header_is_understood() -> None:
    payload = signed().split(".")[1]
    for header in (
        {"alg": "none", "kid": "one", "typ": TYPE},
        {"alg": "HS256", "kid": "one", "typ": TYPE},
        {"alg": "ES256", "kid": "one", "typ": "JWT"},
        {"alg": "ES256", "kid": 1, "typ": TYPE},
        {"alg": "ES256", "kid": "one", "typ": TYPE, "crit": ["b64"]},
        ["ES256"],
    ):
        assert unmet(f"{part(header)}.{payload}.") == "format"
    receipt = signed(typ="accord-receipt+jwt")  # signed by us for something else
    assert unmet(receipt) == "format"


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_held_against_its_type(name: str) -> None:
    wrongs: tuple[object, ...] = (None, 1.5, {}, [1])
    for wrong in wrongs:
        assert unmet(signed(CLAIMS | {name: wrong})) in {"format", "issuer"}
    if name != "sub":
        assert unmet(signed({key: CLAIMS[key] for key in CLAIMS if key != name})) in {
            "format",
            "issuer",
        }


@given(st.integers(min_value=0), st.integers(1, 127))
def test_no_changed_character_is_accepted(position: int, mask: int) -> None:
    text = signed()
    at = position % len(text)
    changed = text[:at] + chr(ord(text[at]) ^ mask) + text[at + 1 :]
    assert unmet(changed)


@given(st.text(max_size=300))
def test_whatever_is_sent_is_refused_by_name(text: str) -> None:
    assert unmet(text) in {"format", "key", "signature"}


def test_a_key_set_that_is_none_is_refused() -> None:
    for text in ("", "[]", "{}", '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "x"}]}'):
        with pytest.raises(VerificationError) as refused:
            Keys(text)
        assert refused.value.obligation == "key"
    assert "rsa" not in Keys('{"keys": [{"kty": "RSA", "kid": "rsa", "crv": ""}]}')
