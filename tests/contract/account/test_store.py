"""What the cases are promised by account's store, on both engines."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select

from runtime.clock import SettableClock
from runtime.db import Database
from runtime.fault import Fault
from runtime.ids import new_account, opaque_id
from runtime.migrations import is_current, migrate
from runtime.seal import Sealer, UnsealError
from runtime.signing_keys import SHOWN, SIGNS, SigningKeys
from runtime.testing import NOON
from services.account.domain import secret
from services.account.domain.account import Account, State
from services.account.domain.flow import LIFE, Flow, Purpose
from services.account.domain.link import Link
from services.account.domain.profile import Field, Identity, ProviderTokens, Value
from services.account.domain.session import ABSOLUTE, Session
from services.account.domain.staff import Invitation, Role
from services.account.main import MIGRATIONS
from services.account.store.tables import METADATA, actor_keys, outbox
from services.account.store.unit import SqlStore
from tests.migrated import migrated

SEALER = Sealer(bytes(32), "account")
IDENTITY = Identity(
    "google",
    "https://accounts.google.com",
    "104310000000000000001",
    (),
    ProviderTokens("access", "refresh", NOON),
)
EMAIL = Value(Field.EMAIL, "anna@mail.example", verified=True)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrated(database_url, MIGRATIONS)
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> SqlStore:
    return SqlStore(database, SEALER)


def an_account(**more: object) -> Account:
    account = Account(
        name=new_account("nl"),
        state=State.ACTIVE,
        country="NL",
        birth_date=date(1990, 4, 30),
        language="en",
        accepted_notice="mi-store@2025-05-20",
        created=NOON,
        version=1,
    )
    return replace(account, **more)  # type: ignore[arg-type]  # fields by name


def a_flow(**more: object) -> tuple[str, Flow]:
    flow_secret = secret.new_secret()
    flow = Flow(
        digest=secret.digest(flow_secret),
        purpose=Purpose.LINK,
        provider="google",
        account=new_account("nl"),
        imports=frozenset({Field.EMAIL, Field.NICKNAME}),
        expires=NOON + LIFE,
    )
    return flow_secret, replace(flow, **more)  # type: ignore[arg-type]  # fields by name


def a_link(account: str, **more: object) -> Link:
    link = Link(
        account, opaque_id(), IDENTITY.provider, IDENTITY.issuer, IDENTITY.subject, linked=NOON
    )
    return replace(link, **more)  # type: ignore[arg-type]  # fields by name


async def reason_of(outcome: object) -> str:
    return outcome.reason if isinstance(outcome, Fault) else "ok"


async def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    assert not is_current(database_url, MIGRATIONS)
    migrate(database_url, MIGRATIONS)
    migrate(database_url, MIGRATIONS)  # again: nothing to do
    assert is_current(database_url, MIGRATIONS)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


@pytest.mark.parametrize("born", [None, date(1900, 1, 1)])
async def test_an_account_is_read_as_it_was_added(store: SqlStore, born: date | None) -> None:
    account = an_account(birth_date=born)
    await store.write(lambda tx: tx.accounts.add(account))
    assert await store.read(lambda tx: tx.accounts.get(account.name)) == account
    assert await store.read(lambda tx: tx.accounts.get(new_account("nl"))) is None


async def test_what_sharing_has_not_heard_waits_until_it_has(store: SqlStore) -> None:
    first, second = an_account(), an_account(created=NOON - timedelta(days=1))
    await store.write(lambda tx: tx.accounts.add(first))
    await store.write(lambda tx: tx.accounts.add(second))
    assert await store.read(lambda tx: tx.accounts.untold(10)) == [second, first]
    assert await store.read(lambda tx: tx.accounts.untold(1)) == [second]
    await store.write(lambda tx: tx.accounts.told(second.name, 1))
    await store.write(lambda tx: tx.accounts.told(second.name, 0))  # late, and older
    assert await store.read(lambda tx: tx.accounts.untold(10)) == [first]


async def test_invariant_7_a_flow_is_taken_once_of_a_hundred_at_once(store: SqlStore) -> None:
    _, flow = a_flow()
    await store.write(lambda tx: tx.flows.add(flow, NOON))
    outcomes = await asyncio.gather(
        *(store.write(lambda tx: tx.flows.take(flow.digest, NOON)) for _ in range(100)),
        return_exceptions=True,
    )
    taken = [outcome for outcome in outcomes if outcome == flow]
    others = {await reason_of(outcome) for outcome in outcomes if outcome != flow}
    assert len(taken) == 1
    # A lost race that was not decided after its retries is CONFLICT: the caller may ask again.
    assert others <= {"FLOW_REPLAYED", "CONFLICT"}


async def test_a_flow_of_nobody_is_unknown(store: SqlStore) -> None:
    with pytest.raises(Fault) as refused:
        await store.write(lambda tx: tx.flows.take(secret.digest("x"), NOON))
    assert refused.value.reason == "FLOW_UNKNOWN"


async def test_a_flow_leads_to_one_account(store: SqlStore) -> None:
    _, flow = a_flow()
    await store.write(lambda tx: tx.flows.add(flow, NOON))
    assert await store.write(lambda tx: tx.flows.register(flow.digest, "accounts/a"))
    assert not await store.write(lambda tx: tx.flows.register(flow.digest, "accounts/b"))
    assert await store.read(lambda tx: tx.flows.registered(flow.digest)) == "accounts/a"


async def test_flows_that_ended_long_ago_are_forgotten(store: SqlStore) -> None:
    _, old = a_flow()
    await store.write(lambda tx: tx.flows.add(old, NOON))
    later = NOON + timedelta(days=1)
    _, new = a_flow(expires=later + LIFE)
    await store.write(lambda tx: tx.flows.add(new, later))
    with pytest.raises(Fault) as refused:
        await store.write(lambda tx: tx.flows.take(old.digest, later))
    assert refused.value.reason == "FLOW_UNKNOWN"


async def test_a_link_holds_its_imports_and_forgets_them_when_removed(store: SqlStore) -> None:
    account = an_account()
    link = a_link(account.name)
    nickname = Value(Field.NICKNAME, "陳美玲 🙂", verified=False)
    later = NOON + timedelta(hours=1)
    await store.write(lambda tx: tx.accounts.add(account))
    await store.write(lambda tx: tx.links.add(link, IDENTITY, [EMAIL], NOON))
    await store.write(lambda tx: tx.links.renew(link, IDENTITY, [nickname], later))
    found = (await store.read(lambda tx: tx.links.of(account.name)))[0]
    assert {(item.value, item.provider, item.time) for item in found.imports} == {
        (EMAIL, "google", NOON),
        (nickname, "google", later),
    }
    named = await store.read(lambda tx: tx.links.of(account.name, [Field.NICKNAME]))
    assert [item.value for item in named[0].imports] == [nickname]
    known = await store.read(lambda tx: tx.links.find(link.issuer, link.subject))
    assert known is not None
    assert known.name == link.name
    await store.write(lambda tx: tx.links.remove(link))
    assert await store.read(lambda tx: tx.links.of(account.name)) == []
    await store.write(lambda tx: tx.links.add(link, IDENTITY, [], NOON))  # it may come back
    assert (await store.read(lambda tx: tx.links.of(account.name)))[0].imports == ()


async def test_invariant_7_an_identity_belongs_to_one_account_of_many_at_once(
    store: SqlStore,
) -> None:
    accounts = [an_account() for _ in range(16)]
    for account in accounts:
        await store.write(lambda tx, a=account: tx.accounts.add(a))  # type: ignore[misc]  # bound now
    outcomes = await asyncio.gather(
        *(
            store.write(lambda tx, a=a: tx.links.add(a_link(a.name), IDENTITY, [EMAIL], NOON))  # type: ignore[misc]  # bound now
            for a in accounts
        ),
        return_exceptions=True,
    )
    reasons = [await reason_of(outcome) for outcome in outcomes]
    assert reasons.count("ok") == 1
    assert set(reasons) <= {"ok", "IDENTITY_TAKEN", "CONFLICT"}
    link = await store.read(lambda tx: tx.links.find(IDENTITY.issuer, IDENTITY.subject))
    assert link is not None
    assert link.account == accounts[reasons.index("ok")].name


async def test_a_unit_that_raises_changes_nothing(store: SqlStore) -> None:
    account = an_account()

    def unit(tx: object) -> None:
        tx.accounts.add(account)  # type: ignore[attr-defined]  # a Transaction
        raise Fault("CONFLICT", "on purpose")

    with pytest.raises(Fault):
        await store.write(unit)
    assert await store.read(lambda tx: tx.accounts.get(account.name)) is None


async def test_sessions_are_kept_touched_removed_and_forgotten(store: SqlStore) -> None:
    account = an_account()
    await store.write(lambda tx: tx.accounts.add(account))
    old = Session(secret.digest("old"), account.name, "l1", NOON, NOON)
    new = Session(secret.digest("new"), account.name, "l1", NOON + ABSOLUTE, NOON + ABSOLUTE)
    await store.write(lambda tx: tx.sessions.add(old))
    touched = NOON + timedelta(minutes=5)
    await store.write(lambda tx: tx.sessions.touch(old.digest, touched))
    assert await store.read(lambda tx: tx.sessions.get(old.digest)) == replace(old, seen=touched)
    await store.write(lambda tx: tx.sessions.add(new))
    assert await store.read(lambda tx: tx.sessions.get(old.digest)) is None
    await store.write(lambda tx: tx.sessions.remove(new.digest))
    await store.write(lambda tx: tx.sessions.touch(new.digest, touched))
    assert await store.read(lambda tx: tx.sessions.get(new.digest)) is None


async def test_sessions_begun_through_a_link_are_removed_but_the_acting_one(
    store: SqlStore,
) -> None:
    account = an_account()
    await store.write(lambda tx: tx.accounts.add(account))
    acting = NOON + timedelta(seconds=10, microseconds=999_999)
    begun = {
        "acting": ("l1", acting),
        "before": ("l1", NOON + timedelta(seconds=9, microseconds=999_999)),
        "after": ("l1", NOON + timedelta(seconds=11)),
        "other": ("l2", NOON),
    }
    for name, (link_id, began) in begun.items():
        session = Session(secret.digest(name), account.name, link_id, began, began)
        await store.write(lambda tx, s=session: tx.sessions.add(s))  # type: ignore[misc]  # bound now
    auth_time = acting.replace(microsecond=0)  # as a token states it
    assert await store.write(lambda tx: tx.sessions.remove_begun_through("l1", auth_time)) == 2
    left = await store.read(
        lambda tx: {name for name in begun if tx.sessions.get(secret.digest(name))}
    )
    assert left == {"acting", "other"}


async def test_an_invitation_binds_its_role_once(store: SqlStore) -> None:
    first, second = an_account(), an_account()
    await store.write(lambda tx: tx.accounts.add(first))
    await store.write(lambda tx: tx.accounts.add(second))
    invitation = Invitation(
        secret.digest("i"), Role.OFFICER, "Femke", "spiffe://x/staff/operator/o", NOON
    )
    await store.write(lambda tx: tx.staff.invite(invitation))
    assert await store.read(lambda tx: tx.staff.invitation(invitation.digest)) == invitation
    await store.write(lambda tx: tx.staff.accept(invitation, first.name, NOON))
    with pytest.raises(Fault) as refused:
        await store.write(lambda tx: tx.staff.accept(invitation, second.name, NOON))
    assert refused.value.reason == "INVITATION_USED"
    assert await store.read(lambda tx: tx.staff.roles(first.name)) == {Role.OFFICER}
    assert await store.read(lambda tx: tx.staff.roles(second.name)) == frozenset()


async def test_a_request_is_answered_once(store: SqlStore) -> None:
    request_id = str(uuid4())
    answers = iter(["first", "second"])

    async def ask(content: str) -> str:
        return await store.write(
            lambda tx: tx.once("scope", request_id, content, NOON, lambda: next(answers))
        )

    assert [await ask("a"), await ask("a")] == ["first", "first"]
    with pytest.raises(Fault) as refused:
        await ask("b")
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def test_processes_that_start_together_sign_with_keys_that_both_show(
    database: Database,
) -> None:
    clock = SettableClock(datetime(2026, 6, 1, tzinfo=UTC))
    one, two = (
        SigningKeys(database, actor_keys, outbox, SEALER, clock, "account:key:create")
        for _ in range(2)
    )
    signing = await asyncio.gather(one.current(), two.current())
    kids = {key.kid for key in (await one.key_set()).keys}
    assert kids == {key.kid for key in (await two.key_set()).keys}
    assert kids == {key.kid for key in signing}
    assert len(kids) == 1


async def test_another_sealing_key_is_noticed(database: Database) -> None:
    clock = SettableClock(NOON)
    keys = SigningKeys(database, actor_keys, outbox, SEALER, clock, "account:key:create")
    await keys.check()  # nothing is sealed yet
    await keys.jwks()
    await keys.check()
    other = Sealer(bytes(31) + b"\x01", "account")
    with pytest.raises(UnsealError):
        await SigningKeys(database, actor_keys, outbox, other, clock, "account:key:create").check()


async def test_a_key_that_signs_no_more_is_shown_a_day_then_destroyed_and_its_public_half_kept(
    database: Database,
) -> None:
    clock = SettableClock(NOON)
    keys = SigningKeys(database, actor_keys, outbox, SEALER, clock, "account:key:create")
    first = await keys.current()
    clock.advance(SIGNS)
    second = await keys.current()
    assert second.kid != first.kid
    assert _kids(await keys.jwks()) == [first.kid, second.kid]
    clock.advance(SHOWN - SIGNS)
    assert _kids(await keys.jwks()) == [second.kid]
    clock.advance(2 * SIGNS - SHOWN)
    await keys.current()
    assert first.kid in _kids(await keys.jwks(past=True))
    rows = await database.read(lambda tx: tx.execute(select(actor_keys)).all())
    halves = {row.kid: row.private_key for row in rows}
    assert halves[first.kid] == b""
    assert halves[second.kid] != b""
    await keys.check()


def _kids(jwks: str) -> list[str]:
    return [key["kid"] for key in json.loads(jwks)["keys"]]
