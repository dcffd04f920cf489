"""Sessions at rest: the digest of a secret, an account and two instants."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, or_, select, update

from services.account.domain.session import ABSOLUTE, Session
from services.account.store.tables import sessions


class SqlSessions:
    """`domain.ports.Sessions` over one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def add(self, session: Session) -> None:
        """Add a session, and forget those of the account that ended."""
        ended = session.began - ABSOLUTE
        self._tx.execute(
            delete(sessions).where(sessions.c.account == session.account, sessions.c.began <= ended)
        )
        self._tx.execute(
            sessions.insert().values(
                digest=session.digest,
                account=session.account,
                link_id=session.link_id,
                began=session.began,
                seen=session.seen,
            )
        )

    def get(self, digest: bytes) -> Session | None:
        """Return a session."""
        row = self._tx.execute(select(sessions).where(sessions.c.digest == digest)).one_or_none()
        return None if row is None else _session(row)

    def touch(self, digest: bytes, now: datetime) -> None:
        """Write down its last use; one that was ended meanwhile stays ended."""
        self._tx.execute(update(sessions).where(sessions.c.digest == digest).values(seen=now))

    def remove(self, digest: bytes) -> None:
        """Remove it."""
        self._tx.execute(delete(sessions).where(sessions.c.digest == digest))

    def remove_begun_through(self, link_id: str, but: datetime) -> int:
        """Remove those begun through a link, but for those begun in the second of `but`."""
        second = but.replace(microsecond=0)
        removed = self._tx.execute(
            delete(sessions).where(
                sessions.c.link_id == link_id,
                or_(sessions.c.began < second, sessions.c.began >= second + timedelta(seconds=1)),
            )
        )
        return removed.rowcount


def _session(row: Row[Any]) -> Session:
    return Session(row.digest, row.account, row.link_id, row.began, row.seen)
