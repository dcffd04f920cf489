"""``accord check``: one question, one answer on the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from accord.sharing.v1 import decision_pb2 as sharing
from accord.sharing.v1 import reason_pb2

from accord_client.cli.paper import Paper
from accord_client.cli.session import Exit, Session, emit_json, json_option, run
from accord_client.cli.words import word
from accord_client.clients import Sharing

F = TypeVar("F", bound=Callable[..., object])

STYLE = {
    sharing.OUTCOME_PERMIT: "bold green",
    sharing.OUTCOME_DENY: "bold red",
    sharing.OUTCOME_GAP: "bold yellow",
}
_OPTIONS = (
    click.argument("account"),
    click.argument("service"),
    click.argument("recipient"),
    click.argument("purpose"),
    click.argument("categories", nargs=-1, required=True),
    click.option("--destination", default="", help="Country the data would go to, such as DE."),
    click.option("--relation", default="", help="What binds the person to it, such as an order."),
    click.option("--subprocessor", default="", help="Who would receive it for the recipient."),
    click.option("--instrument", default="", help="The legal instrument that orders it."),
    click.option("--signed-in", is_flag=True, help="The person is signed in."),
    click.option("--de-identified", is_flag=True, help="De-identified before publication."),
)


def question_options(command: F) -> F:
    """Adds what a question consists of; the command takes it as ``**given``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@question_options
@json_option
@click.pass_context
def check(
    context: click.Context,
    /,
    *,
    as_json: bool,
    **given: Any,  # noqa: ANN401 -- the fields of a question, as click read them
) -> None:
    """Ask whether data may be shared, as an app.

    Exit code 0 means PERMIT and nothing else does: with 1 the table says why not, and officers see
    with `accord explain` what would help. The answer is on the record before it is printed.

    SERVICE, PURPOSE and CATEGORIES are keys of the rules (services/sharing/rulebook); recipients
    are those that `accord recipients list` shows to officers.

    \b
    Example: may DHL have a name and a phone number to deliver order 4711?
      accord check accounts/nl-… mi_store recipients/dhl delivery \\
          contact.name contact.phone --relation order-4711
    """  # noqa: D301 -- \b keeps click from wrapping
    session: Session = context.obj
    question = sharing.Question(**given)

    async def ask() -> sharing.Decision:
        async with Sharing.connect(session.profile) as client:
            return await client.check(question)

    decision = run(ask)
    if as_json:
        emit_json(decision)
    else:
        print_decision(decision)
    permitted = decision.outcome == sharing.OUTCOME_PERMIT
    context.exit(Exit.OK if permitted else Exit.REFUSED)


def print_decision(decision: sharing.Decision) -> None:
    """Prints a decision with all its reasons and citations."""
    out = Paper()
    outcome = sharing.Outcome.Name(decision.outcome).removeprefix("OUTCOME_")
    out.say((outcome, STYLE.get(decision.outcome, "")), f"  {decision.name}")
    if decision.reasons:
        out.table(
            ["", "reason", "gate", "where it is written", "categories"],
            (
                (
                    sharing.Outcome.Name(item.outcome).removeprefix("OUTCOME_"),
                    reason_pb2.Reason.Name(item.reason).removeprefix("REASON_"),
                    str(item.gate),
                    "\n".join(item.citations),
                    "\n".join(item.categories),
                )
                for item in decision.reasons
            ),
        )
    if decision.grounds:
        out.table(
            ["rests on", "legal basis", "categories"],
            (
                (
                    ground.citation,
                    word(sharing.LegalBasis, ground.basis),
                    "\n".join(ground.categories),
                )
                for ground in decision.grounds
            ),
        )
    if decision.obligations:
        named = (word(sharing.Obligation, item) for item in decision.obligations)
        out.say("obligations  ", ", ".join(named))
    if decision.contract:
        out.say(f"contract     {decision.contract}")
    out.say(f"trace        {decision.trace_id}")
