"""Backups of the key database: dated files, apart from the log's, none older than 30 days.

They hold the rows as they are: keys, and what audit has yet to say, encrypted under their month's
key-encryption key, which is never in a backup. Destroying that key ends an erasure in every backup;
destroying a file ends it there at once.

The last line bears the signature of the log's key: who can write to where backups are kept could
otherwise order an erasure, or lift a hold, by a row of their own.
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Select, Table, func, insert, select, update

from runtime import outbox as outboxes
from runtime.db import Database
from services.audit.domain.erasure import BACKUPS_KEPT
from services.audit.domain.log_keys import KnownLog, LogKeys
from services.audit.domain.note import MalformedNoteError, open_note, sign_note
from services.audit.store.tables import KEYS, key_generation, outbox, party_keys

_FORMAT = 3
_SIGNED = "accord audit backup of keys"  # never the first line of a checkpoint
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{6}Z\.jsonl")
_STAMP = "%Y-%m-%dT%H%M%SZ"
_BATCH = 500


class KeyBackupError(Exception):
    """A backup of keys cannot be used; says why."""


class KeyBackups:
    """The backups in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def take(self, database: Database, log: LogKeys, now: datetime) -> Path:
        """Write a backup, durable on return, and remove those that are 30 days old.

        Those of a time to come too, which a clock that was ahead has left: they would neither grow
        old nor be followed by a newer one.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{now.astimezone(UTC):{_STAMP}}.jsonl"
        temporary = path.with_suffix(".new")
        temporary.unlink(missing_ok=True)

        def query(tx: Connection) -> None:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                head = {"format": _FORMAT, "origin": log.origin, "taken": path.stem}
                _dump(tx, file, head, log)
                file.flush()
                os.fsync(descriptor)

        await database.read(query)
        temporary.replace(path)
        for old in self._all():
            if old != path and not timedelta() <= now - _taken(old) <= BACKUPS_KEPT:
                old.unlink()
        _sync(self._directory)
        return path

    async def restore(self, database: Database, log: KnownLog, now: datetime) -> Path:
        """Fill an empty key database from the newest backup, all of it or nothing.

        KeyBackupError without one, and for one that is torn, not signed by the log, of a time to
        come, or 30 days old: who was erased since may be in it.
        """
        backups = self._all()
        if not backups:
            raise KeyBackupError(f"{self._directory} holds no backup of the keys")
        newest = backups[-1]
        if now - _taken(newest) > BACKUPS_KEPT:
            raise KeyBackupError(
                f"{newest} is older than {BACKUPS_KEPT.days} days: it had to be destroyed, since "
                "erasures have ended meanwhile"
            )
        if _taken(newest) > now:
            raise KeyBackupError(
                f"{newest} is of a time to come: a clock is wrong, this one or that of the backup; "
                "if it was that one, move the file away"
            )
        _require_whole(newest, log)
        await database.write(lambda tx: _load(tx, newest))
        return newest

    def _all(self) -> list[Path]:
        if not self._directory.is_dir():
            return []
        return sorted(each for each in self._directory.iterdir() if _NAME.fullmatch(each.name))


async def holds_keys(database: Database) -> bool:
    """Tell whether a key database is in use."""
    count = select(func.count()).select_from(party_keys)
    return bool(await database.read(lambda tx: tx.execute(count).scalar()))


def _taken(path: Path) -> datetime:
    return datetime.strptime(path.stem, _STAMP).replace(tzinfo=UTC)


def _dump(tx: Connection, file: IO[bytes], head: Mapping[str, object], log: LogKeys) -> None:
    digest, count = hashlib.sha256(), 0

    def line(value: object) -> None:
        encoded = json.dumps(value).encode() + b"\n"
        digest.update(encoded)
        file.write(encoded)

    line(head)
    for table in KEYS.sorted_tables:
        rows = tx.execution_options(yield_per=_BATCH).execute(_in_order(table))
        for row in rows:
            line([table.name, _encoded(row._asdict())])
            count += 1
    line({"note": sign_note(_said(log.origin, count, digest.hexdigest()), log.signers)})


def _said(origin: str, rows: int, digest: str) -> str:
    return f"{_SIGNED}\n{origin}\n{rows}\n{digest}\n"


def _in_order(table: Table) -> Select[Any]:
    """Return all rows in an order that says which event comes first; of the others in any."""
    return select(table).order_by(*((table.c.xid, table.c.id) if table is outbox else ()))


def _require_whole(path: Path, log: KnownLog) -> None:
    digest, count, last = hashlib.sha256(), -1, b""
    with path.open("rb") as lines:
        head = _json(next(lines, b""))
        digest.update(json.dumps(head).encode() + b"\n")
        for line in lines:
            digest.update(last)
            last, count = line, count + 1
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        raise KeyBackupError(f"{path} is no backup of keys, or of a format unknown here")
    if head.get("origin") != log.origin:
        raise KeyBackupError(f"{path} is of another log")
    if head.get("taken") != path.stem:
        raise KeyBackupError(f"{path} was not taken when its name says")
    match _json(last):
        case {"note": str(note)}:
            pass
        case _:
            raise KeyBackupError(f"{path} is torn or damaged: it has no last line")
    try:
        said = open_note(note, log.verifiers).text
    except MalformedNoteError as error:
        raise KeyBackupError(f"{path} is not of the log's key: {error}") from error
    if said != _said(log.origin, count, digest.hexdigest()):
        raise KeyBackupError(f"{path} is torn or damaged: it is not what was written")


def _load(tx: Connection, path: Path) -> None:
    with path.open("rb") as lines:
        next(lines)
        waiting: dict[str, list[dict[str, object]]] = {}
        for line in lines:
            match _json(line):
                case [str(name), dict(row)]:
                    rows = waiting.setdefault(name, [])
                    rows.append({column: _decoded(value) for column, value in row.items()})
                    if len(rows) == _BATCH:
                        _insert(tx, name, waiting.pop(name))
        for name, rows in waiting.items():
            _insert(tx, name, rows)


def _insert(tx: Connection, name: str, rows: Sequence[dict[str, Any]]) -> None:
    table = KEYS.tables[name]
    if table is outbox:
        # Under the ids and transactions of this database: those of the other say nothing here.
        outboxes.append(tx, outbox, [row["event"] for row in rows])
    elif table is key_generation:
        number = max(row["number"] for row in rows)
        tx.execute(update(table).values(number=table.c.number + number + 1))
    else:
        tx.execute(insert(table), rows)


def _encoded(row: Mapping[str, object]) -> dict[str, object]:
    def value(plain: object) -> object:
        match plain:
            case bytes():
                return {"bytes": base64.b64encode(plain).decode()}
            case datetime():
                return {"time": plain.isoformat()}
        return plain

    return {column: value(plain) for column, plain in row.items()}


def _decoded(value: object) -> object:
    match value:
        case {"bytes": str(encoded)}:
            return base64.b64decode(encoded)
        case {"time": str(time)}:
            return datetime.fromisoformat(time)
    return value


def _json(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
