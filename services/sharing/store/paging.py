"""One page of a list: a row more than is asked for tells whether anything follows."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select

from services.sharing.domain.ports import Page

T = TypeVar("T")


def by_ordinal(
    tx: Connection,
    query: Select[Any],
    page: Page,
    ordinal: ColumnElement[int],
    decode: Callable[[Row[Any]], T],
) -> tuple[list[T], str]:
    """Return a page, newest first, and the cursor of what follows, or empty."""
    query = query.order_by(ordinal.desc())
    if page.cursor:
        query = query.where(ordinal < int(page.cursor))
    return _page(tx, query, page, ordinal, decode)


def by_name(
    tx: Connection,
    query: Select[Any],
    page: Page,
    name: ColumnElement[str],
    decode: Callable[[Row[Any]], T],
) -> tuple[list[T], str]:
    """Return a page in the order of names, and the cursor of what follows, or empty."""
    return _page(tx, query.where(name > page.cursor).order_by(name), page, name, decode)


def _page(
    tx: Connection,
    query: Select[Any],
    page: Page,
    key: ColumnElement[Any],
    decode: Callable[[Row[Any]], T],
) -> tuple[list[T], str]:
    rows = tx.execute(query.add_columns(key.label("place")).limit(page.size + 1)).all()
    shown = rows[: page.size]
    following = str(shown[-1].place) if len(rows) > page.size else ""
    return [decode(row) for row in shown], following
