"""``accord audit``: read the log, take a proof away, verify it without the log."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
from accord.audit.v1 import entry_pb2, read_service_pb2

from accord_client.cli.filters import filter_options, purpose_option, read_filter
from accord_client.cli.paper import Paper
from accord_client.cli.session import Exit, Failure, Session, emit_json, json_option, run
from accord_client.cli.trusting import PATH
from accord_client.cli.words import moment
from accord_client.clients import Audit
from accord_client.verify import pack_proof

_EVENT_ID_LENGTH = 32


@click.group()
def audit() -> None:
    """Read the log, as an auditor; verify proofs of it, as anyone.

    Reading is on record, with the purpose that you state.

    \b
    From an entry to a proof that stands on its own:
      export ACCORD_PURPOSE="quarterly review"
      accord audit list --trace 4bf92f3577b34da6a3ce929d0e0e4736
      accord audit prove 41 --out decision.tlog-proof
      accord audit verify decision.tlog-proof --key log.vkey

    \b
    Along with the log, while it grows:
      accord audit tail --action sharing:decision: --outcome deny

    \b
    Many entries in one file, and its check without the log:
      accord audit export --account accounts/nl-… --out person.bundle
      accord audit verify person.bundle --key log.vkey --policy trust.policy

    \b
    The whole log, from a copy of its files or of its database:
      accord audit fsck tiles/ --key log.vkey

    \b
    That the log only grows, from a checkpoint kept elsewhere:
      accord audit checkpoint --key log.vkey --out kept.checkpoint
      accord audit consistent kept.checkpoint --key log.vkey
    """  # noqa: D301 -- \b keeps click from wrapping


@audit.command(name="list")
@purpose_option
@filter_options
@click.option("--newest", is_flag=True, help="Newest first.")
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="So many at most."
)
@json_option
@click.pass_obj
def list_entries(
    session: Session,
    /,
    *,
    purpose: str,
    newest: bool,
    limit: int,
    as_json: bool,
    **filters: str | dt.datetime | None,
) -> None:
    """List entries that match every filter given; docs/events.md lists the actions.

    \b
    Examples: the newest denials, and what happened to an account in spring
      accord audit list --action sharing:decision: --outcome deny --newest --limit 20
      accord audit list --account accounts/nl-… --from 2026-03-20 --to 2026-06-21
    """  # noqa: D301 -- \b keeps click from wrapping
    order = read_service_pb2.ORDER_NEWEST_FIRST if newest else read_service_pb2.ORDER_OLDEST_FIRST
    request = read_service_pb2.ListEntriesRequest(
        filter=read_filter(filters), order=order, page_size=min(limit, 200)
    )

    async def fetch() -> list[entry_pb2.Entry]:
        found: list[entry_pb2.Entry] = []
        async with Audit.connect(session.profile, purpose) as client:
            async for entry in client.entries(request):
                found.append(entry)
                if len(found) == limit:
                    break
        return found

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().table(
        ["index", "time", "from", "action", "outcome", "about", "by", "trace"],
        (
            (
                str(entry.index),
                moment(entry.event_time, "milliseconds"),
                entry.producer,
                entry.action,
                entry.outcome,
                entry.account,
                "self" if entry.actor and entry.actor == entry.account else entry.actor,
                entry.trace_id,
            )
            for entry in found
        ),
    )


@audit.command()
@click.argument("entry")
@purpose_option
@json_option
@click.pass_obj
def show(session: Session, entry: str, *, purpose: str, as_json: bool) -> None:
    """Show ENTRY, named by its index or its event id, opened as far as its keys still exist.

    \b
    Example:
      accord audit show 41 --purpose "request 4711"
    """  # noqa: D301 -- \b keeps click from wrapping

    async def fetch() -> entry_pb2.Entry:
        async with Audit.connect(session.profile, purpose) as client:
            return await client.entry(_which(entry))

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().facts(
        (
            ("index", str(found.index)),
            ("time", moment(found.event_time, "milliseconds")),
            ("from", f"{found.producer}, its entry {found.sequence}"),
            ("event", found.event_id),
            ("action", f"{found.action} → {found.outcome}"),
            ("about", found.account),
            ("by", found.actor),
            ("for", found.on_behalf_of),
            ("through", found.app),
            ("on", found.resource),
            ("recipients", ", ".join(found.recipients)),
            ("contracts", ", ".join(found.contracts)),
            ("decision", found.decision.name),
            ("answer", found.decision.outcome),
            ("reasons", ", ".join(found.decision.reasons)),
            ("citations", "; ".join(found.decision.citations)),
            ("rulebook", found.decision.rulebook_digest),
            ("trace", found.trace_id),
            *((field.name, field.value) for field in found.fields),
        )
    )
    for number, section in enumerate(found.sections, 1):
        Paper().say(f"{number} of {len(found.sections)}")
        Paper().facts(
            (
                ("about", section.account or "no longer readable"),
                *((field.name, field.value) for field in section.fields),
            )
        )


@audit.command()
@click.argument("entry")
@click.option("--out", type=PATH, help="Where to write the proof; default entry-<n>.tlog-proof.")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Show this value alone: @decision.outcome, or 2:NAME of section 2. Repeatable.",
)
@purpose_option
@json_option
@click.pass_obj
def prove(
    session: Session,
    entry: str,
    out: Path | None,
    *,
    only: tuple[str, ...],
    purpose: str,
    as_json: bool,
) -> None:
    """Fetch a proof that ENTRY is in the log, into a file that needs no log to be verified.

    The file holds the entry with its opened values: treat it like the data it shows. With --only it
    holds nothing of the other values but what the log committed to.

    \b
    Example: that a decision is on record, and its outcome, and nothing else of it
      accord audit prove 41 --only @decision.outcome --out decision.tlog-proof
    """  # noqa: D301 -- \b keeps click from wrapping

    async def fetch() -> read_service_pb2.ProveInclusionResponse:
        async with Audit.connect(session.profile, purpose) as client:
            return await client.prove_inclusion(_which(entry))

    response = run(fetch)
    file = out or Path(f"entry-{response.entry.index}.tlog-proof")
    try:
        proof = pack_proof(response, only or None)
    except KeyError as missing:
        names = ", ".join(dict.fromkeys(opening.name for opening in response.openings))
        message = f"entry {response.entry.index} shows no {missing.args[0]}; it shows: {names}"
        raise Failure(Exit.BAD_INPUT, message) from missing
    file.write_bytes(proof.serialise())
    if as_json:
        emit_json({"file": str(file), "index": response.entry.index})
    else:
        Paper().say(
            f"Proof of entry {response.entry.index} written to {file}. Verify it with\n"
            f"  accord audit verify {file} --key PINNED.vkey"
        )


def _which(entry: str) -> int | str:
    if entry.isascii() and entry.isdigit() and len(entry) < _EVENT_ID_LENGTH:
        return int(entry)
    return entry
