"""``accord recipients subjects``: whose data a recipient has or may get."""

from __future__ import annotations

import click
from accord.sharing.v1 import reach_pb2
from accord.sharing.v1.reach_service_pb2 import ReachFilter

from accord_client.analysis import Analysis
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run


@click.command()
@click.argument("recipient")
@click.option(
    "--only",
    type=click.Choice(["has", "may"]),
    help="Only whose data it has (was sent), or only whose data it may get now.",
)
@json_option
@click.pass_obj
def subjects(session: Session, recipient: str, only: str | None, *, as_json: bool) -> None:
    """List whose data a recipient has or may get, for the end of a contract.

    For privacy officers. Each reading is on record, and each person can find it there.

    \b
    Example: who has to be told that a contract ends?
      accord recipients subjects recipients/dhl --only has
    """  # noqa: D301 -- \b keeps click from wrapping
    wanted = ReachFilter.Value(f"REACH_FILTER_{(only or 'unspecified').upper()}")

    async def fetch() -> list[reach_pb2.SubjectReach]:
        async with Analysis.connect(session.profile) as client:
            return [subject async for subject in client.subjects(recipient, wanted)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["whose", "has", "of", "first", "last", "may get, for"],
        (
            (
                subject.subject,
                "\n".join(held.purpose for held in subject.holdings),
                "\n".join(", ".join(held.categories) for held in subject.holdings),
                "\n".join(held.first_time.ToJsonString() for held in subject.holdings),
                "\n".join(held.last_time.ToJsonString() for held in subject.holdings),
                ", ".join(sorted({could.purpose for could in subject.prospects})),
            )
            for subject in found
        ),
    )
