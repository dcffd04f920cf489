"""What the reading commands share: ``--purpose``, and the filters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TypeVar

import click
from accord.audit.v1.read_service_pb2 import EntryFilter

F = TypeVar("F", bound=Callable[..., object])
Filters = Mapping[str, str | dt.datetime | None]


class _Moment(click.ParamType[dt.datetime]):
    """A date or a time as the log prints it; without Z or an offset it is UTC."""

    name = "time"

    def convert(
        self, value: str | dt.datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Fails for what is no time."""
        try:
            moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time, such as 2026-04-01 or 2026-04-01T09:30:00Z", param, ctx
            )


class _Named(click.ParamType[str]):
    """Text that is there: a variable that is empty must not ask for the whole log."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Fails for what is empty."""
        if not value.strip():
            self.fail("is empty; leave the option out to ask for everything", param, ctx)
        return value


MOMENT, _NAMED = _Moment(), _Named()
_OPTIONS = (
    click.option("--account", type=_NAMED, help="Only about this account: accounts/nl-…"),
    click.option("--actor", type=_NAMED, help="Only what this person, member of staff or app did."),
    click.option("--app", type=_NAMED, help="Only what this app asked or did: mi-store."),
    click.option("--recipient", type=_NAMED, help="Only about this recipient: dhl."),
    click.option("--contract", type=_NAMED, help="Only about this contract: c-1."),
    click.option("--action", type=_NAMED, help="Only events that begin so: sharing:decision:"),
    click.option("--outcome", type=_NAMED, help="Only what ended so: deny."),
    click.option("--trace", type=_NAMED, help="Only this trace, 32 hexadecimal digits."),
    click.option("--producer", type=_NAMED, help="Only what this service reported: sharing."),
    click.option(
        "--from", "start", type=MOMENT, help="Only from this time on (UTC): 2026-04-01T09:30."
    ),
    click.option("--to", "end", type=MOMENT, help="Only before this time (UTC): 2026-04-02."),
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
            getattr(wanted, field).FromDatetime(value)
        elif value:
            setattr(wanted, field, value)
    return wanted


def filter_in_words(filters: Filters) -> dict[str, str]:
    """The filters that were given, by the names of their options."""
    return {
        _WORDS.get(name, name): (
            value.isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else value
        )
        for name, value in filters.items()
        if value
    }
