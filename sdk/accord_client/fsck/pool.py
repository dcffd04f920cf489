"""Checks bundles in several processes at once, and hands them on in order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from accord_client.fsck.bundles import WIDTH, Bundle, Part, Store, check_bundles
from accord_client.fsck.report import Report
from accord_client.fsck.statements import Statements
from accord_client.processes import as_many_as_help, spread

_CHUNK = 32  # bundles handed to a process at a time: some milliseconds of work
_WORTH = 250_000  # entries from which on starting processes pays
_MOST_ABSENT = 1_000  # bundles in a row


def checked(
    store: Store, size: int, statements: Statements, report: Report, processes: int = 0
) -> Iterator[Bundle]:
    """The bundles of a log of ``size``, in order; 0 ``processes`` means as many as help.

    Ends early, with a finding, where nothing more is there: a size is only a number, and whoever
    may sign may state any.
    """
    absent = 0
    for bundle in _all(store, size, statements, processes):
        yield bundle
        absent = absent + 1 if bundle.by_leaf is None and not bundle.entries else 0
        if absent > _MOST_ABSENT:
            where = store.name_entry(bundle.number * WIDTH)
            report.add(where, f"nothing is there, nor is anything looked for up to {size}")
            return


def _all(store: Store, size: int, statements: Statements, processes: int) -> Iterator[Bundle]:
    workers = processes or as_many_as_help(worth=size >= _WORTH)
    for bundles in spread(partial(check_bundles, store), _chunks(size, statements), workers):
        yield from bundles


def _chunks(size: int, statements: Statements) -> Iterator[Part]:
    """What is handed to a process: bundles, and the sizes that statements in them are about."""
    for start in range(0, size, _CHUNK * WIDTH):
        end = min(start + _CHUNK * WIDTH, size)
        bundles = [(at // WIDTH, min(WIDTH, end - at)) for at in range(start, end, WIDTH)]
        yield bundles, statements.sizes(start, end)
