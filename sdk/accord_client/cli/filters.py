"""What the reading commands share: ``--purpose``, and the filters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TypeVar

import click
from accord.audit.v1.read_service_pb2 import EntryFilter

F = TypeVar("F", bound=Callable[..., object])
Filters = Mapping[str, str | dt.datetime | None]

_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_OPTIONS = (
    click.option("--account", default="", help="Only about this account."),
    click.option("--actor", default="", help="Only what this person, member of staff or app did."),
    click.option("--app", default="", help="Only what this app asked or did: mi-store."),
    click.option("--recipient", default="", help="Only about this recipient: recipients/dhl."),
    click.option("--contract", default="", help="Only about this contract: contracts/c-1."),
    click.option("--action", default="", help="Only events that begin so: sharing:decision:"),
    click.option("--outcome", default="", help="Only what ended so: deny."),
    click.option("--trace", default="", help="Only this trace, 32 hexadecimal digits."),
    click.option("--producer", default="", help="Only what this service reported."),
    click.option("--from", "start", type=_MOMENT, help="Only from this time on (UTC)."),
    click.option("--to", "end", type=_MOMENT, help="Only before this time (UTC)."),
)
_FIELDS = {"action": "action_prefix", "trace": "trace_id", "start": "start_time", "end": "end_time"}
_WORDS = {"start": "from", "end": "to"}

purpose_option = click.option(
    "--purpose",
    required=True,
    envvar="ACCORD_PURPOSE",
    show_envvar=True,
    help="Why the log is read; goes on record. 1 to 200 characters that name no person.",
)


def filter_options(command: F) -> F:
    """Adds the filters; the command takes them as ``**filters``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_filter(filters: Filters) -> EntryFilter:
    """The filters as the log takes them."""
    wanted = EntryFilter()
    for name, value in filters.items():
        field = _FIELDS.get(name, name)
        if isinstance(value, dt.datetime):
            getattr(wanted, field).FromDatetime(value.replace(tzinfo=dt.UTC))
        elif value:
            setattr(wanted, field, value)
    return wanted


def filter_in_words(filters: Filters) -> dict[str, str]:
    """The filters that were given, by the names of their options."""
    return {
        _WORDS.get(name, name): value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in filters.items()
        if value
    }
