"""What the checkpoints of a log state: of a log of years, more than memory should hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


class Statements:
    """Roots by size, each with the name of where it was stated first.

    They are kept in a file without a name, which SQLite removes however this ends, and of which it
    holds a few megabytes in memory.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE statements (size INTEGER, root BLOB, place TEXT, "
            "PRIMARY KEY (size, root)) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Ends it and its file."""
        self._database.close()

    def add(self, size: int, root: bytes, where: str) -> bool:
        """Returns whether several roots are stated of this size."""
        self._database.execute(
            "INSERT OR IGNORE INTO statements VALUES (?, ?, ?)", (size, root, where)
        )
        return len(self.of(size)) > 1

    def of(self, size: int) -> Sequence[tuple[bytes, str]]:
        """Each root that is stated of a size, and where."""
        sql = "SELECT root, place FROM statements WHERE size = ?"
        return self._database.execute(sql, (size,)).fetchall()

    def sizes(self, first: int, last: int) -> Sequence[int]:
        """The sizes from ``first`` to ``last`` of which something is stated."""
        sql = "SELECT DISTINCT size FROM statements WHERE size BETWEEN ? AND ? ORDER BY size"
        return [row[0] for row in self._database.execute(sql, (first, last))]

    def newest(self) -> int | None:
        """The largest size; None if nothing is stated."""
        (largest,) = self._database.execute("SELECT MAX(size) FROM statements").fetchone()
        return None if largest is None else int(largest)
