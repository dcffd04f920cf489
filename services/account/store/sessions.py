"""Sessions at rest: the digest of a secret, an account and two instants."""

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

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
                began=session.began,
                seen=session.seen,
            )
        )

    def get(self, digest: bytes) -> Session | None:
        """Return a session."""
        row = self._tx.execute(select(sessions).where(sessions.c.digest == digest)).one_or_none()
        return None if row is None else Session(row.digest, row.account, row.began, row.seen)

    def touch(self, digest: bytes, now: datetime) -> None:
        """Write down its last use; one that was ended meanwhile stays ended."""
        self._tx.execute(update(sessions).where(sessions.c.digest == digest).values(seen=now))

    def remove(self, digest: bytes) -> None:
        """Remove it."""
        self._tx.execute(delete(sessions).where(sessions.c.digest == digest))
