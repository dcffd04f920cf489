"""``accord simulate``: which recorded questions a change would answer otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

import click
from accord.sharing.v1 import analysis_service_pb2, reason_pb2
from accord.sharing.v1 import decision_pb2 as sharing
from accord.sharing.v1 import simulation_pb2 as pb

from accord_client.analysis import Analysis
from accord_client.cli.paper import Paper
from accord_client.cli.session import Exit, Failure, Session, emit_json, json_option, run
from accord_client.contract_file import ContractFileError, parse

_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
_UNKNOWN = "not asked like this any more"


@click.command()
@click.option(
    "--rulebook",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Other rules: the folder of a draft.",
)
@click.option("--contract-ended", default="", metavar="CONTRACT", help="A contract ends.")
@click.option(
    "--terms",
    type=click.File("r", encoding="utf-8"),
    help="Other terms, as if in force: a file as `accord contracts export` writes it, with one"
    " contract.",
)
@click.option(
    "--replaces", default="", metavar="CONTRACT", help="With --terms: in whose place they stand."
)
@click.option(
    "--withdrawn-purpose", default="", metavar="PURPOSE", help="Everybody's consents for it end."
)
@click.option(
    "--withdrawn-recipient",
    default="",
    metavar="RECIPIENT|KIND",
    help="Everybody's consents that name it end.",
)
@click.option("--moved", nargs=2, metavar="RECIPIENT COUNTRY", help="A recipient moves.")
@click.option("--sample", default=500, show_default=True, help="Replay so many, 5000 at most.")
@click.option("--seed", default=0, help="Draw them at random by this seed; the newest without.")
@click.option(
    "--since", type=_MOMENT, metavar="MOMENT", help="With --seed: draw from this moment on, in UTC."
)
@click.option(
    "--at", type=_MOMENT, metavar="MOMENT", help="Decide at a moment to come, in UTC; now without."
)
@json_option
@click.pass_context
def simulate(
    context: click.Context,
    /,
    *,
    rulebook: Path | None,
    contract_ended: str,
    terms: TextIOWrapper | None,
    replaces: str,
    withdrawn_purpose: str,
    withdrawn_recipient: str,
    moved: tuple[str, str] | None,
    sample: int,
    seed: int,
    since: datetime | None,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Suppose one change, and list the recorded questions that would be answered otherwise.

    For privacy officers. Nothing is changed: a draft is tried and never put in force. Whose data
    the questions are about is not told. Exit code 0 means that nothing changes, 1 that something
    does.

    \b
    Examples:
      accord simulate --contract-ended contracts/0193…
      accord simulate --rulebook draft --sample 5000      after `bin/rulebook lint draft`
      accord simulate --terms draft.yaml --replaces contracts/0193… --at 2027-01-01
      accord simulate --withdrawn-purpose direct_marketing
      accord simulate --moved recipients/dhl US --seed 7 --since 2026-01-01
    """  # noqa: D301 -- \b keeps click from wrapping
    session: Session = context.obj
    changes = [
        _of_rules(rulebook),
        pb.Change(contract_ended=contract_ended) if contract_ended else None,
        _of_terms(terms, replaces) if terms else None,
        _of_consents(withdrawn_purpose, withdrawn_recipient),
        _of_move(moved),
    ]
    given = [change for change in changes if change]
    if len(given) != 1:
        raise click.UsageError("suppose exactly one change; --help shows which there are")
    request = analysis_service_pb2.SimulateRequest(change=given[0], sample_size=sample, seed=seed)
    if since:
        request.since_time.FromDatetime(since.replace(tzinfo=UTC))
    if at:
        request.moment.FromDatetime(at.replace(tzinfo=UTC))

    async def replay() -> tuple[list[pb.ChangedFlow], pb.SimulationProgress]:
        flows, last = [], pb.SimulationProgress()
        async with Analysis.connect(session.profile) as client:
            async for part in client.simulate(request):
                if part.HasField("flow"):
                    flows.append(part.flow)
                else:
                    last = part.progress
                    click.echo(
                        f"\r{last.replayed} replayed, {last.changed} differ", err=True, nl=last.done
                    )
        return flows, last

    flows, last = run(replay)
    if as_json:
        emit_json({"progress": last, "flows": flows})
    elif flows:
        _print(flows)
    context.exit(Exit.REFUSED if flows else Exit.OK)


def _print(flows: list[pb.ChangedFlow]) -> None:
    Paper().table(
        ["decision", "service", "recipient", "purpose", "now", "then", "because"],
        (
            (
                flow.decision,
                flow.service,
                flow.recipient,
                flow.purpose,
                _outcome(flow.before),
                _outcome(flow.after),
                "\n".join(
                    reason_pb2.Reason.Name(each.reason).removeprefix("REASON_")
                    for each in flow.after.reasons
                ),
            )
            for flow in flows
        ),
    )


def _outcome(found: pb.SimulatedAnswer) -> str:
    if found.outcome == sharing.OUTCOME_UNSPECIFIED:
        return _UNKNOWN
    return sharing.Outcome.Name(found.outcome).removeprefix("OUTCOME_")


def _of_rules(folder: Path | None) -> pb.Change | None:
    if folder is None:
        return None
    files = [*sorted(folder.glob("*.yaml")), *sorted(folder.glob("notices/*.yaml"))]
    return pb.Change(
        rulebook=pb.RulebookDraft(
            files=[
                pb.RulebookFile(path=file.relative_to(folder).as_posix(), content=file.read_bytes())
                for file in files
            ]
        )
    )


def _of_terms(file: TextIOWrapper, replaces: str) -> pb.Change:
    try:
        written = parse(file.read(), file.name)
    except ContractFileError as error:
        raise Failure(Exit.BAD_INPUT, str(error)) from error
    if len(written) != 1:
        raise Failure(Exit.BAD_INPUT, "the file has to hold one contract")
    return pb.Change(
        contract=pb.ContractDraft(
            recipient=written[0].recipient, terms=written[0].terms, replaces=replaces
        )
    )


def _of_consents(purpose: str, recipient: str) -> pb.Change | None:
    if not purpose and not recipient:
        return None
    return pb.Change(consents_withdrawn=pb.ConsentsWithdrawn(purpose=purpose, recipient=recipient))


def _of_move(moved: tuple[str, str] | None) -> pb.Change | None:
    if not moved:
        return None
    recipient, jurisdiction = moved
    return pb.Change(
        recipient_moved=pb.RecipientMoved(recipient=recipient, jurisdiction=jurisdiction)
    )
