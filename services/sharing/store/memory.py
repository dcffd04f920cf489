"""The facts in memory: immutable, one entry a holder, recipient or instrument.

An entry is loaded when it is asked for, dropped when the feed tells of a change, and dropped oldest
first when there are too many records. A load that a change overtook is repeated, so that an entry
is never older than what the feed has told.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from runtime.db import Database
from runtime.fault import Fault, not_found
from services.sharing.domain.fact_ports import Gathered
from services.sharing.domain.freshness import Freshness
from services.sharing.domain.question import Facts, Question
from services.sharing.domain.records import (
    Consent,
    Contract,
    Instrument,
    Preference,
    Recipient,
    Subject,
)
from services.sharing.store.changes import Reading, StoredChanges
from services.sharing.store.consents import StoredConsents
from services.sharing.store.contracts import StoredContracts
from services.sharing.store.feed import Feed
from services.sharing.store.instruments import StoredInstruments
from services.sharing.store.preferences import StoredPreferences
from services.sharing.store.recipients import StoredRecipients
from services.sharing.store.subjects import StoredSubjects

_ROUNDS = 8  # of loading before a question is given up: its facts change faster than they are read
_BOUND_S = 1.0  # what no answer may be behind
_SHARES = 4  # no entry takes more of the memory than one of these
_CHUNK = 500  # keys in one query
_RETRY_AFTER = timedelta(milliseconds=200)
_RECIPIENTS, _INSTRUMENTS = "recipients/", "instruments/"


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a holder; a guest or an unknown account has no subject."""

    subject: Subject | None = None
    consents: tuple[Consent, ...] = ()
    preferences: tuple[Preference, ...] = ()

    @property
    def records(self) -> int:
        """Return how many records these are."""
        return 1 + len(self.consents) + len(self.preferences)


@dataclass(frozen=True, slots=True)
class Party:
    """A recipient, None if nobody has that name, and the contracts with it."""

    recipient: Recipient | None
    contracts: tuple[Contract, ...]

    @property
    def records(self) -> int:
        """Return how many records these are."""
        return 1 + len(self.contracts)


@dataclass(frozen=True, slots=True)
class Order:
    """What an instrument orders, None unless it is in force."""

    instrument: Instrument | None
    records: int = 1


Entry = Person | Party | Order
_NOBODY = Person()
_NO_ORDER = Order(None)


class Memory:
    """The memory of one process."""

    def __init__(self, database: Database, feed: Feed, most: int) -> None:
        """`most` bounds the records that are kept."""
        self._database = database
        self._feed = feed
        self._most = most
        self._records = 0
        self._state = 0  # counts whenever something changed
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._overtaken: set[str] = set()
        feed.subscribe(self._hear)

    async def gather(self, question: Question, freshness: Freshness) -> tuple[Facts, str]:
        """Return what bears on a question, and the token of how new it is."""
        gathered = await self.gather_many((question,), freshness)
        facts = gathered.facts[0]
        if facts is None:
            raise not_found(question.recipient)
        return facts, gathered.token

    async def gather_many(self, questions: Sequence[Question], freshness: Freshness) -> Gathered:
        """Return the same for several questions, all of one state of the records."""
        await self._feed.require(freshness)
        for _ in range(_ROUNDS):
            found, missing = self._look_up(questions)
            if not missing:
                token = self._feed.position.token(self._feed.region)
                return Gathered(found, token, self._feed.confirmed, self._state)
            await self._load(missing)
            if not self._feed.is_fresh:
                await self._feed.look()
        raise Fault(
            "OVERLOADED", "the facts change faster than they are read", retry_after=_RETRY_AFTER
        )

    async def still_hold(self, gathered: Gathered) -> bool:
        """Tell whether what was gathered is at most a second behind every acknowledged write."""
        if time.monotonic() - gathered.confirmed < _BOUND_S:
            return True
        if not self._feed.is_fresh:
            await self._feed.look()
        return gathered.state == self._state

    # --- from memory ---------------------------------------------------------------------------

    def _look_up(self, questions: Sequence[Question]) -> tuple[list[Facts | None], dict[str, None]]:
        """Return the facts of each question, or the keys that must be loaded first."""
        facts: list[Facts | None] = []
        missing: dict[str, None] = {}
        for question in questions:
            party = self._entry(question.recipient, missing)
            holder, named = question.holder, question.instrument
            person = self._entry(holder, missing) if holder else _NOBODY
            order = self._entry(named, missing) if named else _NO_ORDER
            if missing:
                continue
            if (
                not isinstance(party, Party)
                or not isinstance(person, Person)
                or not isinstance(order, Order)
            ):
                raise TypeError("a key is of another kind than its entry")
            facts.append(
                Facts(
                    recipient=party.recipient,
                    subject=person.subject,
                    contracts=party.contracts,
                    consents=person.consents,
                    preferences=person.preferences,
                    instrument=order.instrument,
                )
                if party.recipient
                else None
            )
        return facts, missing

    def _entry(self, key: str, missing: dict[str, None]) -> Entry | None:
        entry = self._entries.get(key)
        if entry is None:
            missing[key] = None
        else:
            self._entries.move_to_end(key)
        return entry

    def _keep(self, key: str, entry: Entry) -> None:
        self._drop(key)
        if entry.records > self._most // _SHARES:
            # Nobody else is forgotten for it; consents and choices are bounded far below.
            raise Fault("OVERLOADED", "there are more facts about one than are kept")
        self._entries[key] = entry
        self._records += entry.records
        while self._records > self._most:
            _, oldest = self._entries.popitem(last=False)
            self._records -= oldest.records

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._records -= entry.records

    def _hear(self, reading: Reading) -> None:
        """Drop what changed; everything, when it cannot be told what did."""
        changed: Iterable[str] = [change.key for _, change in reading.rows]
        if not reading.complete:
            changed = [*self._entries, *self._loading]
        for key in changed:
            self._state += 1
            self._drop(key)
            if key in self._loading:
                self._overtaken.add(key)

    # --- into memory ---------------------------------------------------------------------------

    async def _load(self, keys: Iterable[str]) -> None:
        """Load entries; who needs the same one waits for the same load."""
        mine = [key for key in keys if key not in self._loading]
        if mine:
            task = asyncio.create_task(self._fetch(mine))
            self._loading |= dict.fromkeys(mine, task)
        for task in {self._loading[key] for key in keys}:
            await asyncio.shield(task)

    async def _fetch(self, keys: list[str]) -> None:
        wanted = keys
        try:
            while wanted:
                self._overtaken.difference_update(wanted)
                newest, entries = await self._database.read(partial(_read, wanted), urgent=True)
                self._feed.seen(newest)
                wanted = [key for key in wanted if key in self._overtaken]
                for key, entry in entries.items():
                    if key not in self._overtaken:
                        self._keep(key, entry)
        finally:
            self._overtaken.difference_update(keys)
            for key in keys:
                del self._loading[key]


def _read(keys: Sequence[str], tx: Connection) -> tuple[int, dict[str, Entry]]:
    """Read entries on one snapshot, and how new that is."""
    newest = StoredChanges(tx).newest()
    entries: dict[str, Entry] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        parties = [key for key in chunk if key.startswith(_RECIPIENTS)]
        orders = [key for key in chunk if key.startswith(_INSTRUMENTS)]
        others = {*parties, *orders}
        _read_people(tx, [key for key in chunk if key not in others], entries)
        _read_parties(tx, parties, entries)
        for key in orders:
            entries[key] = Order(StoredInstruments(tx).deciding(key))
    return newest, entries


def _read_people(tx: Connection, holders: list[str], entries: dict[str, Entry]) -> None:
    if not holders:
        return
    subjects = StoredSubjects(tx).get_many(holders)
    consents = StoredConsents(tx).of_many(holders)
    preferences = StoredPreferences(tx).of_many(holders)
    for holder in holders:
        entries[holder] = Person(
            subjects.get(holder),
            tuple(consents.get(holder, ())),
            tuple(preferences.get(holder, ())),
        )


def _read_parties(tx: Connection, names: list[str], entries: dict[str, Entry]) -> None:
    for name in names:
        entries[name] = Party(
            StoredRecipients(tx).get(name), tuple(StoredContracts(tx).with_recipient(name))
        )
