"""``accord audit tail``: read along while the log grows."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

import click

from accord_client.cli.filters import filter_options, purpose_option, read_filter
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, plain, run
from accord_client.cli.words import moment
from accord_client.clients import Audit


@click.command()
@purpose_option
@filter_options
@click.option("--since", type=click.IntRange(0), help="Begin at this index; default: from now on.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.pass_obj
def tail(
    session: Session,
    /,
    *,
    purpose: str,
    since: int | None,
    as_json: bool,
    **filters: str | dt.datetime | None,
) -> None:
    """Print entries that match every filter given as they are committed, until Ctrl-C.

    What breaks off is taken up where it broke off: nothing is left out and nothing comes twice.

    \b
    Example: every denial from now on, a JSON object a line
      accord audit tail --action sharing:decision: --outcome deny --json
    """  # noqa: D301 -- \b keeps click from wrapping
    paper = Paper()

    async def follow() -> None:
        async with Audit.connect(session.profile, purpose) as client:
            async for news in client.tail(read_filter(filters), since):
                for entry in news.entries:
                    if as_json:
                        click.echo(json.dumps(plain(entry), ensure_ascii=False))
                        continue
                    at = moment(entry.event_time, "milliseconds")
                    paper.say(
                        f"{entry.index}  {at}  {entry.action}  {entry.outcome}  ", entry.account
                    )

    with contextlib.suppress(KeyboardInterrupt):
        run(follow)
