"""A mutation with a `request_id` happens once (AIP-155).

The answer is kept beside the change, in the same transaction: whoever repeats the request gets the
same answer, whoever uses the id for another content gets REQUEST_ID_REUSED.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, select

from runtime.db import Instant
from runtime.fault import Fault
from runtime.ids import request_uuid


def requests_table(metadata: MetaData) -> Table:
    """Declare the table of answered requests in a service's metadata."""
    return Table(
        "requests",
        metadata,
        Column("scope", Text, primary_key=True),
        Column("request_id", Text, primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("time", Instant, nullable=False),
        sqlite_strict=True,
    )


def once(
    tx: Connection,
    table: Table,
    *,
    scope: str,
    request_id: str,
    content: bytes,
    now: datetime,
    change: Callable[[], bytes],
) -> bytes:
    """Run `change` unless this request was answered before; return the answer.

    `scope` is the method and who acts, so that nobody can read another's answer. `content` is what
    the request says, without its id; only its SHA-256 is kept.
    """
    request_id = request_uuid(request_id)
    fingerprint = hashlib.sha256(content).digest()
    known = tx.execute(
        select(table.c.fingerprint, table.c.answer).where(
            table.c.scope == scope, table.c.request_id == request_id
        )
    ).one_or_none()
    if known is not None:
        if known.fingerprint != fingerprint:
            raise Fault("REQUEST_ID_REUSED", "this request_id was used for another content")
        return bytes(known.answer)
    answer = change()
    tx.execute(
        table.insert().values(
            scope=scope, request_id=request_id, fingerprint=fingerprint, answer=answer, time=now
        )
    )
    return answer
