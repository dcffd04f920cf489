"""A receipt proves what sharing signed, all of it, and nothing that was touched."""

from __future__ import annotations

import contextlib
import copy
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from accord_client import receipt as sdk
from accord_client.cli import cli
from accord_client.failure import VerificationError
from accord_client.jws import Keys
from accord_client.receipt import verify
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet

from services.sharing.domain.receipt import Evidence, receipt
from services.sharing.domain.records import (
    Consent,
    ConsentRevision,
    ConsentState,
    Indication,
    IndicationMethod,
    Indicator,
)
from services.sharing.store.signer import sign
from tests.unit.sharing.facts import NOW, consent, recipient, rulebook, subject

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
OTHER = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
TYPE = "accord-receipt+jwt"
ID = "8a8f6a1e-6c8e-4a59-9d53-0d7f0e6d2f10"
SCHEMA = json.loads(Path(sdk.__file__).with_suffix(".schema.json").read_text())
DAY = timedelta(days=1)
GIVEN = replace(
    consent(service="mi_store", expires=NOW + 30 * DAY), notice="mi-store@2025-05-20", language="en"
)
GUARDIAN = Indication(IndicationMethod.GUARDIAN_FORM, Indicator.GUARDIAN, "P. Parent")
WITHDRAWN = replace(GIVEN, state=ConsentState.WITHDRAWN, withdrawn=NOW - DAY, indication=GUARDIAN)
NAMED = replace(GIVEN, scope=replace(GIVEN.scope, recipient="recipients/r", service=""))
ENDLESS = replace(GIVEN, expires=None)
ASKED = replace(GIVEN, state=ConsentState.REQUESTED, notice="", language="")


def made(*consents: Consent) -> Any:
    steps = [
        ConsentRevision(number, each, NOW - DAY * (10 - number))
        for number, each in enumerate(consents, 1)
    ]
    named = consents[0].scope.recipient.startswith("recipients/")
    of = subject()
    organisation = recipient("affiliate") if named else None
    evidence = Evidence(steps, of.account, of.jurisdiction, organisation)
    return receipt(rulebook(), evidence, ID, NOW)


def signed(shown: Any, key: ECKey = KEY, typ: str = TYPE, **claims: Any) -> dict[str, Any]:
    issuer = "spiffe://nl.accord.internal/svc/sharing"
    said = {"iss": issuer, "iat": int(NOW.timestamp()), "receipt": shown} | claims
    return {"receipt": shown, "jws": sign(key, said, typ)}


def jwks(*keys: ECKey) -> str:
    return json.dumps(KeySet(list(keys)).as_dict(private=False))


def content(file: Any) -> bytes:
    return json.dumps(file).encode()


def refusal(file: Any, key: ECKey = KEY) -> str:
    with pytest.raises(VerificationError) as refused:
        verify(content(file), Keys(jwks(key)))
    return refused.value.obligation


@pytest.mark.parametrize(
    "life",
    [(GIVEN,), (GIVEN, WITHDRAWN), (NAMED,), (ENDLESS,), (ASKED, GIVEN)],
    ids=["given", "withdrawn", "organisation", "endless", "asked"],
)
def test_every_receipt_has_the_one_shape_and_comes_back_whole(life: tuple[Consent, ...]) -> None:
    shown = made(*life)
    jsonschema.Draft202012Validator(SCHEMA).validate(shown)
    read = verify(content(signed(shown)), Keys(jwks(KEY)))
    first = life[0]
    assert (read.id, read.region, read.signed) == (ID, "nl", NOW)
    assert (read.account, read.consent) == (subject().account, first.name)
    assert read.controller == "Xiaomi Technology Netherlands B.V."
    assert read.purposes == ("dpv:DirectMarketing",)
    assert read.categories == ("pd:EmailAddress",)
    assert len(read.steps) == len(life)
    assert read.service == ("accord:services.mi_store" if first.scope.service else "")


def test_a_receipt_says_who_said_what_when_and_until_when() -> None:
    given, withdrawn = verify(content(signed(made(GIVEN, WITHDRAWN))), Keys(jwks(KEY))).steps
    assert (given.state, given.by, given.method) == (
        "dpv:ConsentGiven",
        "dpv:DataSubject",
        "portal_form",
    )
    assert (given.notice, given.language) == ("mi-store@2025-05-20", "en")
    assert given.until == "2025-10-01T12:00:00Z"
    assert (withdrawn.state, withdrawn.by, withdrawn.name) == (
        "dpv:ConsentWithdrawn",
        "dpv:GuardianOfDataSubject",
        "P. Parent",
    )
    named = verify(content(signed(made(NAMED))), Keys(jwks(KEY)))
    assert named.recipient == "R (recipients/r)"


def test_what_expired_by_itself_is_told_as_the_last_step() -> None:
    over = replace(GIVEN, expires=NOW - DAY)
    steps = verify(content(signed(made(over))), Keys(jwks(KEY))).steps
    assert [step.state for step in steps] == ["dpv:ConsentGiven", "dpv:ConsentExpired"]
    assert steps[-1].time == "2025-08-31T12:00:00Z"
    jsonschema.Draft202012Validator(SCHEMA).validate(made(over))


def touched(change: Callable[[Any], None]) -> Any:
    file = copy.deepcopy(signed(made(GIVEN)))
    change(file)
    return file


def test_whatever_was_touched_is_refused() -> None:
    record = "dpv:hasRecordOfActivity"

    def other_notice(file: Any) -> None:
        file["receipt"][record]["dpv:hasNotice"]["dct:identifier"] = "mi-com@2021-07-22"

    def cut(file: Any) -> None:
        file["jws"] = file["jws"][:-4]

    def flipped(file: Any) -> None:
        head, claims, signature = file["jws"].split(".")
        file["jws"] = ".".join(
            (head, claims, ("A" if signature[0] != "A" else "B") + signature[1:])
        )

    assert refusal(touched(other_notice)) == "content"
    assert refusal(touched(cut)) == "signature"
    assert refusal(touched(flipped)) == "signature"
    assert refusal(touched(lambda file: file.pop("jws"))) == "format"
    assert refusal(signed(made(GIVEN)), OTHER) == "signature"
    assert refusal(signed(made(GIVEN), typ="accord-permit+jwt")) == "format"
    app = "spiffe://nl.accord.internal/app/mi-store"
    assert refusal(signed(made(GIVEN), iss=app)) == "issuer"
    assert refusal(signed({"@type": "dpv:ConsentReceipt"})) == "format"
    assert refusal([]) == "format"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_is_signed_in_another_shape_is_refused_and_breaks_nothing(
    data: st.DataObject,
) -> None:
    shown = copy.deepcopy(made(GIVEN, WITHDRAWN))
    place: Any = shown
    while True:
        step = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        if isinstance(place[step], dict | list) and place[step] and data.draw(st.booleans()):
            place = place[step]
            continue
        place[step] = data.draw(
            st.none() | st.integers() | st.text() | st.just([]) | st.just({}) | st.just([[]])
        )
        break
    with contextlib.suppress(VerificationError):
        verify(content(signed(shown)), Keys(jwks(KEY)))


def test_the_command_says_in_plain_words_what_was_proved(tmp_path: Path) -> None:
    file, keys = tmp_path / "receipt.json", tmp_path / "keys.json"
    file.write_bytes(content(signed(made(GIVEN, WITHDRAWN))))
    keys.write_text(jwks(KEY))
    command = ["consent", "verify-receipt", str(file), "--keys", str(keys)]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert "VERIFIED" in result.output
    assert "Sharing of region nl signed it on 2025-09-01 12:00:00 UTC" in result.output
    assert "P. Parent" in result.output
    assert "Not proved: that the consent still stands." in result.output
    as_json = json.loads(CliRunner().invoke(cli, [*command, "--json"]).output)
    assert as_json["steps"][1]["state"] == "dpv:ConsentWithdrawn"
    keys.write_text(jwks(OTHER))
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1
    assert "NOT VERIFIED (signature)" in result.output
