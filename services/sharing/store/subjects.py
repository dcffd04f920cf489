"""Subjects in SQL: one row an account, at its newest version, and one for every version."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from sys import intern

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from services.sharing.domain.freshness import ChangeKind
from services.sharing.domain.records import Subject, SubjectStatus
from services.sharing.store.changes import note
from services.sharing.store.tables import subject_versions, subjects

_GET = select(subjects).where(subjects.c.account.in_(bindparam("accounts", expanding=True)))


class StoredSubjects:
    """Account's facts on one connection."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def get(self, account: str) -> Subject | None:
        """Return what is known of an account."""
        return self.get_many([account]).get(account)

    def get_many(self, accounts: Sequence[str]) -> Mapping[str, Subject]:
        """Return those of several accounts that are known."""
        rows = self._tx.execute(_GET, {"accounts": accounts})
        return {row.account: subject_of(row) for row in rows}

    def put(self, subject: Subject, recorded: datetime) -> None:
        """Let a newer version count from now on; `recorded` says since when it does."""
        version = {
            "account": subject.account,
            "jurisdiction": subject.jurisdiction,
            "birth_date": subject.birth_date.isoformat() if subject.birth_date else "",
            "status": subject.status.value,
            "since": subject.since,
            "version": subject.version,
        }
        self._tx.execute(delete(subjects).where(subjects.c.account == subject.account))
        self._tx.execute(insert(subjects).values(version))
        self._tx.execute(insert(subject_versions).values(**version, recorded=recorded))
        note(self._tx, ChangeKind.PERSON, subject.account)


def subject_of(row: Row[tuple[object, ...]]) -> Subject:
    """Read a version."""
    return Subject(
        account=row.account,
        jurisdiction=intern(row.jurisdiction),
        birth_date=date.fromisoformat(row.birth_date) if row.birth_date else None,
        status=SubjectStatus(row.status),
        since=row.since,
        version=row.version,
    )
