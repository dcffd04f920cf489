"""What lies in the database and in the logs, and what must not."""

import io
import json
import logging

import pytest
from accord.account.v1 import account_pb2
from accord.account.v1 import key_service_pb2 as keys_pb
from accord.account.v1 import session_service_pb2 as pb
from joserfc import jwt
from joserfc.jwk import KeySet

from runtime import logs
from runtime.signing_keys import SIGNS
from tests.unit.account.harness import Region

EVERYTHING = (
    account_pb2.PROFILE_FIELD_NICKNAME,
    account_pb2.PROFILE_FIELD_PICTURE,
    account_pb2.PROFILE_FIELD_EMAIL,
)


async def test_invariant_4_no_secret_and_no_imported_value_is_at_rest_in_clear(
    region: Region,
) -> None:
    begun, callback = await region.begin("anna")
    outcome = await region.complete(begun.flow_secret, callback)
    sealed = outcome.registration.secret
    registered = await region.sessions.Register(
        pb.RegisterRequest(
            registration_secret=sealed,
            request_id="0f5c2a1e-7d1c-4f0e-9f3b-2f4c8f1d2a3b",
            country="NL",
            birth_date="1990-04-30",
            imports=EVERYTHING,
            accepted_notice="mi-store@2025-05-20",
            language="en",
        )
    )
    anna = await region.signed(registered.session.secret)
    await region.link(anna, "anna", imports=EVERYTHING)
    at_rest = b"".join(path.read_bytes() for path in region.database.parent.glob("account.db*"))
    assert anna.account.encode() in at_rest  # we do look at the right bytes
    for text in (
        begun.flow_secret,
        callback["state"],
        callback["code"],
        sealed,
        registered.session.secret,
        anna.answer.actor_token,
        "anna.devries@mail.example",
        "anna.devries@post.example",
        "Anna de Vries",
        "/people/anna.svg",
        "1990-04-30",
        "sandbox-google-client-secret",
    ):
        assert text.encode() not in at_rest, text
    assert b'"d"' not in at_rest  # no private half of a signing key


async def test_invariant_4_no_secret_and_no_person_is_in_the_logs(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("account", "nl", "DEBUG")
        begun, callback = await region.begin("anna", "facebook")
        outcome = await region.complete(begun.flow_secret, callback)
        logging.getLogger("services.account").warning("this is heard")
    finally:
        root.handlers[:], root.level = handlers, level
    heard = written.getvalue()
    assert "this is heard" in heard
    for text in (begun.flow_secret, callback["code"], callback["state"], "sandbox-facebook"):
        assert text not in heard
    assert "anna" not in heard.lower()
    assert outcome.registration.secret not in heard


async def test_tokens_verify_with_the_keys_that_are_shown_and_keys_are_replaced(
    region: Region,
) -> None:
    anna = await region.sign_up("anna")
    first = await shown_keys(region)
    claims = jwt.decode(anna.answer.actor_token, first, algorithms=["ES256"]).claims
    assert (claims["sub"], claims["aud"], claims["roles"]) == (
        anna.account,
        ["account"],
        ["person"],
    )
    assert claims["exp"] - claims["iat"] <= 60
    region.bench.clock.advance(SIGNS)
    both = await shown_keys(region)
    region.bench.clock.advance(-SIGNS)  # where the session and the sandbox are
    anna = await region.signed(anna.secret)
    assert len(both.keys) == 2  # the old one is shown while its last token may live
    new = next(key for key in both.keys if key.kid not in {old.kid for old in first.keys})
    jwt.decode(anna.answer.actor_token, KeySet([new]), algorithms=["ES256"])
    assert await region.listed(anna)  # account itself knows the new key at once


async def shown_keys(region: Region) -> KeySet:
    answer = await region.keys.ListActorKeys(keys_pb.ListActorKeysRequest())
    rows = json.loads(answer.jwks)
    assert all("d" not in row for row in rows["keys"])
    return KeySet.import_key_set(rows)
