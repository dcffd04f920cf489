"""Fills a store to the size that figures are taken at.

A few people with consents and a few recipients with contracts are recorded by the store itself and
then multiplied in SQL, so that the rows are what the store writes, whatever their shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, select, true

from runtime.db import Database
from runtime.ids import new_account
from runtime.migrations import migrate
from services.sharing.api.codec import ProtoDecisions
from services.sharing.domain.agreement import Agreement, Step
from services.sharing.domain.ports import Records
from services.sharing.domain.records import (
    Consent,
    ConsentState,
    ContractState,
    DueDiligence,
    Recipient,
    Scope,
    SignedDocument,
    Subject,
    SubjectStatus,
    Terms,
)
from services.sharing.store import tables
from services.sharing.store.records import MIGRATIONS, SqlStore

REGION = "nl"
CONSENTS_EACH = 10
CONTRACTS_EACH = 10
YEAR = timedelta(days=365)
# Recipients: id of the first, kind, what the contracts are for and of which data.
_KINDS = (
    ("dhl", "service_provider.delivery", ("delivery", "order_fulfilment"), ("contact", "order")),
    ("ads", "service_provider.advertising", ("direct_marketing",), ("contact", "device", "usage")),
)
_WANTED = (
    ("direct_marketing", "service_provider.advertising"),
    ("newsletter", "service_provider.advertising"),
    ("survey", "service_provider.data_analytics"),
    ("feedback", "affiliate"),
    ("review_display", "public"),
)
# Who sees what is published.
PUBLIC = "recipients/everyone"
_CHUNK = 10_000

_METADATA = MetaData()
_names = Table("bench_names", _METADATA, Column("name", Text, primary_key=True))


@dataclass(frozen=True, slots=True)
class Size:
    """How much is on record."""

    accounts: int
    contracts: int

    @property
    def consents(self) -> int:
        """Return how many consents that makes."""
        return self.accounts * CONSENTS_EACH


FULL = Size(accounts=100_000, contracts=10_000)
SMALL = Size(accounts=200, contracts=200)


@dataclass(frozen=True, slots=True)
class People:
    """Who is on record."""

    accounts: Sequence[str]
    recipients: Sequence[Sequence[str]]  # of each kind


async def fill(url: str, size: Size) -> People:
    """Migrate an empty database and put everybody on record."""
    migrate(url, MIGRATIONS)
    database = Database(url)
    accounts = [new_account(REGION) for _ in range(size.accounts)]
    each = size.contracts // CONTRACTS_EACH // len(_KINDS)
    recipients = [
        [f"recipients/{stem}"] + [f"recipients/{stem}-{n}" for n in range(1, each)]
        for stem, *_ in _KINDS
    ]
    now = datetime.now(UTC)
    await SqlStore(database, ProtoDecisions()).write(
        lambda records: _record(records, accounts[0], now)
    )
    await database.write(_METADATA.create_all)
    for batch in _chunks(accounts[1:]):
        await database.write(partial(_more_people, first=accounts[0], names=batch))
    for names in recipients:
        await database.write(partial(_more_recipients, first=names[0], names=names[1:]))
    await database.write(_METADATA.drop_all)
    await database.close()
    return People(accounts, recipients)


def _record(records: Records, account: str, now: datetime) -> None:
    for stem, kind, purposes, categories in _KINDS:
        recipient = Recipient(f"recipients/{stem}", stem.upper(), kind, "DE", now)
        records.recipients.add(recipient)
        for number in range(CONTRACTS_EACH):
            terms = _terms(purposes, categories, now.date())
            _in_force(records, f"contracts/{stem}-{number}", recipient, terms, now)
    records.recipients.add(Recipient(PUBLIC, "Everyone", "public", "NL", now))
    since = now - timedelta(days=100)
    subject = Subject(account, "NL", date(1990, 4, 2), SubjectStatus.ACTIVE, since, 1)
    records.subjects.put(subject, since)
    for number in range(CONSENTS_EACH):
        purpose, kind = _WANTED[number % len(_WANTED)]
        scope = Scope("mi_store", frozenset({purpose}), frozenset({"contact.email", "usage"}), kind)
        name = f"{account}/consents/{number}"
        records.consents.add(account, Consent(name, scope, ConsentState.GIVEN, since), since)


def _terms(purposes: Sequence[str], categories: Sequence[str], today: date) -> Terms:
    return Terms(
        purposes=frozenset(purposes),
        categories=frozenset(categories),
        origins=frozenset({"EEA"}),
        destinations=frozenset({"EEA"}),
        effective=today - YEAR,
        expires=today + YEAR,
        due_diligence=DueDiligence(passed=True, on=today - YEAR, expires=today + YEAR),
        document=SignedDocument("00" * 32, "archive://1"),
    )


def _in_force(
    records: Records, name: str, recipient: Recipient, terms: Terms, now: datetime
) -> None:
    agreement = Agreement.draft(name, recipient.name, terms, "author", now)
    records.contracts.save(agreement, Step(1, ContractState.DRAFT, "author", now))
    active = agreement.submit(1).activate(1, "second")
    records.contracts.save(active, Step(1, ContractState.ACTIVE, "second", now))


def _more_people(tx: Connection, first: str, names: Sequence[str]) -> None:
    _use(tx, names)
    for table in (tables.subjects, tables.subject_versions, tables.consents):
        _multiply(tx, table, first)


def _more_recipients(tx: Connection, first: str, names: Sequence[str]) -> None:
    stem = first.removeprefix("recipients/")
    if not names:
        return
    _use(tx, [name.removeprefix("recipients/") for name in names])
    for table in (tables.recipients, tables.contracts, tables.contract_versions):
        _multiply(tx, table, stem)


def _use(tx: Connection, names: Sequence[str]) -> None:
    tx.execute(_names.delete())
    tx.execute(insert(_names), [{"name": name} for name in names])


def _multiply(tx: Connection, table: Table, first: str) -> None:
    """Repeat the rows that speak of `first` for every name, with that in its place."""
    columns = [column for column in table.columns if column.name != "ordinal"]
    named = {"name", "account", "recipient", "contract"}
    keys = [column for column in columns if column.name in named]
    about = keys[0].like(f"%{first}%")
    everyone = table.join(_names, true())
    copied = [
        func.replace(column, first, _names.c.name) if column in keys else column
        for column in columns
    ]
    tx.execute(
        insert(table).from_select(columns, select(*copied).select_from(everyone).where(about))
    )


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[at : at + _CHUNK] for at in range(0, len(names), _CHUNK)]
