"""``accord recipients subjects``: whose data a recipient has or may get."""

from __future__ import annotations

import click
from accord.sharing.v1.reach_pb2 import SubjectReach
from accord.sharing.v1.reach_service_pb2 import REACH_FILTER_UNSPECIFIED, ReachFilter

from accord_client.analysis import Analysis
from accord_client.cli.paper import Paper
from accord_client.cli.session import answered
from accord_client.cli.words import OneOf, moment


def _list(found: list[SubjectReach]) -> None:
    Paper().table(
        ["whose", "has", "of", "first", "last", "may get, for"],
        (
            (
                subject.subject,
                "\n".join(held.purpose for held in subject.holdings),
                "\n".join(", ".join(held.categories) for held in subject.holdings),
                "\n".join(moment(held.first_time) for held in subject.holdings),
                "\n".join(moment(held.last_time) for held in subject.holdings),
                ", ".join(sorted({could.purpose for could in subject.prospects})),
            )
            for subject in found
        ),
    )


@click.command()
@click.argument("recipient")
@click.option(
    "--only",
    type=OneOf(ReachFilter),
    help="Only whose data it has (was sent), or only whose data it may get now.",
)
@answered(Analysis, _list)
async def subjects(
    client: Analysis, recipient: str, only: ReachFilter.ValueType | None
) -> list[SubjectReach]:
    """List whose data a recipient has or may get, for the end of a contract.

    For privacy officers. Each reading is on record, and each person can find it there.

    \b
    Example: who has to be told that a contract ends?
      accord recipients subjects recipients/dhl --only has
    """  # noqa: D301 -- \b keeps click from wrapping
    wanted = only or REACH_FILTER_UNSPECIFIED
    return [subject async for subject in client.subjects(recipient, wanted)]
