"""``accord revocations``: whether recipients learned what they may use no longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click
from accord.sharing.v1 import revocation_pb2 as sharing
from accord.sharing.v1.revocation_service_pb2 import ListNoticesRequest
from google.protobuf.timestamp_pb2 import Timestamp

from accord_client.agreements import Agreements
from accord_client.cli.paper import Paper
from accord_client.cli.session import Session, emit_json, json_option, run, word


@click.group()
def revocations() -> None:
    """See to revocation notices, as a privacy officer (auditors may read).

    A recipient that holds what a person called back is told until it acknowledges.
    """


@revocations.command(name="list")
@click.option("--recipient", default="", help="Only those to this recipient.")
@click.option(
    "--state", type=click.Choice(["pending", "acknowledged", "failed"]), help="Only such."
)
@click.option("--overdue", is_flag=True, help="Only those past their deadline.")
@json_option
@click.pass_obj
def list_notices(
    session: Session, recipient: str, state: str | None, *, overdue: bool, as_json: bool
) -> None:
    """List notices, newest first."""
    wanted = ListNoticesRequest(recipient=recipient, overdue=overdue)
    if state:
        wanted.state = sharing.RevocationState.Value(f"REVOCATION_STATE_{state.upper()}")

    async def fetch() -> list[sharing.RevocationNotice]:
        async with Agreements.connect(session.profile) as client:
            return [notice async for notice in client.notices(wanted)]

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["name", "recipient", "why", "state", "deadline", "attempts", "problem"],
        (
            (
                one.name,
                one.recipient,
                word(sharing.RevocationCause.Name(one.cause), "REVOCATION_CAUSE_"),
                _state(one),
                _moment(one.deadline_time),
                str(one.attempts),
                one.problem,
            )
            for one in found
        ),
    )


@revocations.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(session: Session, name: str, *, as_json: bool) -> None:
    """Show a notice."""
    _do(session, lambda client: client.notice(name), as_json=as_json)


@revocations.command()
@click.argument("name")
@json_option
@click.pass_obj
def retry(session: Session, name: str, *, as_json: bool) -> None:
    """Have a notice sent anew, now; also one that failed for good."""
    _do(session, lambda client: client.retry_notice(name), as_json=as_json)


@revocations.command()
@click.argument("name")
@click.option("--note", required=True, help="How it was acknowledged; no personal data.")
@json_option
@click.pass_obj
def acknowledge(session: Session, name: str, note: str, *, as_json: bool) -> None:
    """Note that the recipient acknowledged in another way, such as a letter."""
    _do(session, lambda client: client.acknowledge_by_hand(name, note), as_json=as_json)


def _do(
    session: Session,
    call: Callable[[Agreements], Awaitable[sharing.RevocationNotice]],
    *,
    as_json: bool,
) -> None:
    async def act() -> sharing.RevocationNotice:
        async with Agreements.connect(session.profile) as client:
            return await call(client)

    one = run(act)
    if as_json:
        emit_json(one)
        return
    out = Paper()
    out.say((one.name, "bold"), f"  {_state(one)}")
    out.facts(
        (
            ("recipient", one.recipient),
            ("why", word(sharing.RevocationCause.Name(one.cause), "REVOCATION_CAUSE_")),
            ("decisions", "\n".join(one.decisions)),
            ("contract", one.contract),
            ("deadline", _moment(one.deadline_time)),
            ("attempts", str(one.attempts)),
            ("problem", one.problem),
            ("acknowledged by", one.acknowledger),
            ("note", one.note),
        )
    )


def _state(one: sharing.RevocationNotice) -> str:
    state = word(sharing.RevocationState.Name(one.state), "REVOCATION_STATE_")
    return f"{state}, overdue" if one.overdue else state


def _moment(value: Timestamp) -> str:
    return f"{value.ToDatetime().isoformat(timespec='minutes')}Z"
