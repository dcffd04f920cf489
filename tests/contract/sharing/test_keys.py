"""Sharing's keys: shown by their public halves, kept sealed, replaced monthly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
import pytest
from accord.sharing.v1 import key_service_pb2 as pb
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import create_engine, select

from runtime.process import NotReadyError
from runtime.seal import make_key
from runtime.signing_keys import SHOWN, SIGNS
from services.sharing.main import assembled
from services.sharing.store.signer import sign
from services.sharing.store.tables import signing_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.sharing.conftest import Sharing


async def shown(sharing: Sharing, *, past: bool = False, as_: str = "app/mi-store") -> list[str]:
    answer = await sharing.call("keys", "GetKeys", pb.GetKeysRequest(past=past), as_=as_)
    keys = json.loads(answer.jwks)["keys"]
    assert all("d" not in key for key in keys)
    return [key["kid"] for key in keys]


async def test_keys_are_replaced_monthly_with_a_day_in_which_both_are_shown(
    sharing: Sharing,
) -> None:
    (first,) = await shown(sharing)
    sharing.bench.clock.advance(SIGNS)
    both = await shown(sharing, as_="svc/portal")
    assert both[0] == first
    assert len(both) == 2
    sharing.bench.clock.advance(SHOWN - SIGNS)
    assert await shown(sharing, as_="staff/auditor/aisha") == both[1:]
    assert await shown(sharing, past=True) == both


async def test_private_halves_are_not_in_the_database(sharing: Sharing) -> None:
    await shown(sharing)
    engine = create_engine(sharing.url)
    with engine.connect() as connection:
        row = connection.execute(select(signing_keys)).one()
    engine.dispose()
    assert b'"d"' not in bytes(row.private_key)
    assert '"d"' not in row.public_key


async def test_another_sealing_key_than_the_database_s_does_not_start(
    sharing: Sharing, tmp_path: Path
) -> None:
    await shown(sharing)
    make_key(tmp_path / "other.key")
    settings = sharing.settings.model_copy(update={"sealing_key_file": tmp_path / "other.key"})
    bench = sharing.bench
    with pytest.raises(NotReadyError, match="sealing key"):
        async with assembled(
            settings, clock=bench.clock, actor_keys=bench.actor_keys, traces=bench.traces
        ):
            pass


async def test_others_are_not_shown_the_keys(sharing: Sharing) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await shown(sharing, as_="svc/account")
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_what_is_signed_is_a_jws_that_other_libraries_verify() -> None:
    key = KeySet.generate_key_set("EC", "P-256", count=1).keys[0]
    for number in range(50):  # short halves of a signature are padded
        token = sign(key, {"n": number, "name": "陳美玲"}, "accord-permit+jwt")  # type: ignore[arg-type]  # an ECKey
        read = jwt.decode(token, key, algorithms=["ES256"])
        assert read.claims == {"n": number, "name": "陳美玲"}
        assert read.header == {"alg": "ES256", "kid": key.kid, "typ": "accord-permit+jwt"}
