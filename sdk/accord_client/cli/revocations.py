"""``accord revocations``: whether recipients learned what they may use no longer."""

from __future__ import annotations

import click
from accord.sharing.v1.revocation_pb2 import (
    REVOCATION_STATE_UNSPECIFIED,
    RevocationCause,
    RevocationNotice,
    RevocationState,
)
from accord.sharing.v1.revocation_service_pb2 import ListNoticesRequest

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import answered
from accord_client.cli.words import OneOf, moment, word


@click.group()
def revocations() -> None:
    """See to revocation notices, as a privacy officer (auditors may read).

    A recipient that holds what a person called back is told until it acknowledges.

    \b
    Example: which recipients are late, and what went wrong?
      accord revocations list --overdue
      accord revocations retry revocations/…
    """  # noqa: D301 -- \b keeps click from wrapping


def _list(found: list[RevocationNotice]) -> None:
    Paper().table(
        ["name", "recipient", "why", "state", "deadline", "attempts", "problem"],
        (
            (
                one.name,
                one.recipient,
                word(RevocationCause, one.cause),
                _state(one),
                moment(one.deadline_time, "minutes"),
                str(one.attempts),
                one.problem,
            )
            for one in found
        ),
    )


def _show(one: RevocationNotice) -> None:
    out = Paper()
    out.say((one.name, "bold"), f"  {_state(one)}")
    out.facts(
        (
            ("recipient", one.recipient),
            ("why", word(RevocationCause, one.cause)),
            ("decisions", "\n".join(one.decisions)),
            ("contract", one.contract),
            ("deadline", moment(one.deadline_time, "minutes")),
            ("attempts", str(one.attempts)),
            ("problem", one.problem),
            ("acknowledged by", one.acknowledger),
            ("note", one.note),
        )
    )


def _state(one: RevocationNotice) -> str:
    return word(RevocationState, one.state) + (", overdue" if one.overdue else "")


@revocations.command(name="list")
@click.option("--recipient", default="", help="Only those to this recipient.")
@click.option("--state", type=OneOf(RevocationState), help="Only those in this state.")
@click.option("--overdue", is_flag=True, help="Only those past their deadline.")
@answered(Agreements, _list)
async def list_notices(
    client: Agreements,
    recipient: str,
    state: RevocationState.ValueType | None,
    *,
    overdue: bool,
) -> list[RevocationNotice]:
    """List notices, newest first."""
    wanted = ListNoticesRequest(recipient=recipient, overdue=overdue)
    wanted.state = state or REVOCATION_STATE_UNSPECIFIED
    return [one async for one in client.notices(wanted)]


@revocations.command()
@click.argument("name")
@answered(Agreements, _show)
async def show(client: Agreements, name: str) -> RevocationNotice:
    """Show the notice NAME, revocations/…."""
    return await client.notice(name)


@revocations.command()
@click.argument("name")
@answered(Agreements, _show)
async def retry(client: Agreements, name: str) -> RevocationNotice:
    """Have the notice NAME sent anew, now; also one that failed for good."""
    return await client.retry_notice(name)


@revocations.command()
@click.argument("name")
@click.option("--note", required=True, help="How it was acknowledged; no personal data.")
@answered(Agreements, _show)
async def acknowledge(client: Agreements, name: str, note: str) -> RevocationNotice:
    """Note that the recipient acknowledged NAME in another way, such as a letter."""
    return await client.acknowledge_by_hand(name, note)
