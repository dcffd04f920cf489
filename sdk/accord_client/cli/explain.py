"""``accord explain``: a question taken apart, gate by gate, now or at a past moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from accord.sharing.v1 import decision_pb2 as sharing
from accord.sharing.v1 import explanation_pb2 as pb
from accord.sharing.v1 import reason_pb2

from accord_client.analysis import Analysis
from accord_client.cli.check import STYLE, question_options
from accord_client.cli.paper import Paper
from accord_client.cli.session import Exit, Session, emit_json, json_option, run
from accord_client.cli.words import moment, word

_GATES = (
    "prohibitions",
    "the person's account",
    "the notice",
    "the person's choices",
    "legal basis",
    "contract with the recipient",
    "border",
    "obligations",
)
# What would help, with the fields of the hint that go with it.
_HELP = {
    pb.REMEDY_NONE: "nothing: the rule knows no exception",
    pb.REMEDY_LEAVE_OUT: "ask without {categories}",
    pb.REMEDY_DE_IDENTIFY: "de-identify the data before it is published, and say so",
    pb.REMEDY_UNFREEZE: "unfreeze {resource}",
    pb.REMEDY_LIFT_RESTRICTION: "lift the restriction of {resource}",
    pb.REMEDY_NAME_ACCOUNT: "ask about an account that exists",
    pb.REMEDY_RECORD_BIRTH_DATE: "put the birth date on record",
    pb.REMEDY_CHANGE_NOTICE: "change the notice: it does not name {categories}",
    pb.REMEDY_SIGN_IN: "sign in",
    pb.REMEDY_ACCEPT_NOTICE: "accept {values}",
    pb.REMEDY_GIVE_CONSENT: "consent to {categories} for {purposes}, to {recipient}",
    pb.REMEDY_LIFT_CHOICE: "lift {resource}",
    pb.REMEDY_NAME_RELATION: "name the order, ticket or entry (--relation)",
    pb.REMEDY_NAME_INSTRUMENT: "name an instrument in force that orders {categories}",
    pb.REMEDY_RECORD_CONTRACT: "record a contract with {resource} and put it in force",
    pb.REMEDY_ACTIVATE_CONTRACT: "put {resource} in force",
    pb.REMEDY_WAIT: "wait until {date}, when {resource} begins",
    pb.REMEDY_RENEW_CONTRACT: "renew {resource}, which ended with {date}",
    pb.REMEDY_EXAMINE_RECIPIENT: "examine the recipient (again), and it passes",
    pb.REMEDY_STORE_AT_HOME: "keep the data in {values}",
    pb.REMEDY_NAME_NOBODY: "ask without an account",
}
_TERMS = {
    pb.CONTRACT_TERM_PURPOSES: "the contract has to name the purpose {values}",
    pb.CONTRACT_TERM_CATEGORIES: "the contract has to name {categories}",
    pb.CONTRACT_TERM_ORIGINS: "the contract has to cover one of {values}",
    pb.CONTRACT_TERM_DESTINATIONS: "the contract has to name one of {values} as destination",
    pb.CONTRACT_TERM_SUBPROCESSORS: "the contract has to list {values}",
    pb.CONTRACT_TERM_CONFIDENTIALITY: "the contract has to bind the recipient to confidentiality",
    pb.CONTRACT_TERM_SAFEGUARDS: "the contract has to contain one of {values}",
}


@click.command()
@question_options
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="MOMENT",
    help="A past moment in UTC, such as 2026-01-15T12:00: how it would have been decided then.",
)
@json_option
@click.pass_context
def explain(
    context: click.Context,
    /,
    *,
    as_of: datetime | None,
    as_json: bool,
    **given: Any,  # noqa: ANN401 -- the fields of a question, as click read them
) -> None:
    """Show what every gate says to a question, and what would help.

    For privacy officers and auditors. Nothing is decided and nothing is permitted; that it was
    asked is on record. Exit code 0 means that it would be permitted, 1 that it would not.

    \b
    Examples: why may DHL not have a phone number? And how was it in January?
      accord explain accounts/nl-… mi_store recipients/dhl delivery contact.phone
      accord explain accounts/nl-… mi_store recipients/dhl delivery contact.phone \\
          --relation order-4711 --as-of 2026-01-15T12:00
    """  # noqa: D301 -- \b keeps click from wrapping
    session: Session = context.obj
    question = sharing.Question(**given)

    async def ask() -> pb.Explanation:
        async with Analysis.connect(session.profile) as client:
            return await client.explain(question, as_of.replace(tzinfo=UTC) if as_of else None)

    found = run(ask)
    if as_json:
        emit_json(found)
    else:
        _print(found)
    permitted = found.outcome == sharing.OUTCOME_PERMIT
    context.exit(Exit.OK if permitted else Exit.REFUSED)


def _print(found: pb.Explanation) -> None:
    out, then = Paper(), moment(found.moment)
    outcome = sharing.Outcome.Name(found.outcome).removeprefix("OUTCOME_")
    when = f"  as of {then}; it permits nothing" if found.historical else f"  at {then}"
    out.say((outcome, STYLE.get(found.outcome, "")), when)
    out.table(
        ["gate", "", "reason", "where it is written", "what would help", "who can"],
        (row for gate in found.gates for row in _rows(gate)),
    )
    out.facts(
        (
            ("would be permitted alone", ", ".join(found.permitted_categories)),
            ("notices", ", ".join(found.notices)),
            ("contract", found.contract),
            ("rulebook", found.rulebook_digest),
        )
    )


def _rows(gate: pb.Gate) -> list[tuple[str, ...]]:
    name = f"{gate.number} {_GATES[gate.number - 1]}"
    state = word(pb.GateState, gate.state)
    if not gate.reasons:
        return [(name, state, "", "", "", "")]
    return [
        (
            name,
            state,
            reason_pb2.Reason.Name(each.reason.reason).removeprefix("REASON_"),
            "\n".join(each.reason.citations),
            "\n".join(map(_helps, each.hints)),
            "\n".join(word(pb.Party, hint.party) for hint in each.hints),
        )
        for each in gate.reasons
    ]


def _helps(hint: pb.Hint) -> str:
    words = _TERMS.get(hint.term) or _HELP.get(hint.remedy, pb.Remedy.Name(hint.remedy))
    return words.format(
        resource=hint.resource,
        categories=", ".join(hint.categories),
        values=", ".join(hint.values),
        date=hint.date,
        purposes=", ".join(hint.consent.purposes),
        recipient=hint.consent.recipient,
    )
