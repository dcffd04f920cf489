"""``accord audit``: read the log, take a proof away, verify it without the log."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path

import click
from accord.audit.v1 import entry_pb2, read_service_pb2
from rich.progress import Progress

from accord_client.checkpoint import ProofFile
from accord_client.cli.paper import Paper
from accord_client.cli.session import (
    Exit,
    Failure,
    Session,
    emit_json,
    json_option,
    refuse_unverified,
    run,
)
from accord_client.clients import Audit
from accord_client.failure import VerificationError
from accord_client.fsck import check_log
from accord_client.note import VerifierKey, parse_keys
from accord_client.verify import VerifiedEntry, pack_proof, verify_proof

_EVENT_ID_LENGTH = 32
_MAX_PROOF_BYTES = 4_000_000
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
PATH = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Read the log, as an auditor; verify proofs of it, as anyone.

    \b
    From an entry to a proof that stands on its own:
      accord audit list --trace 4bf92f3577b34da6a3ce929d0e0e4736
      accord audit prove 41 --out decision.tlog-proof
      accord audit verify decision.tlog-proof --key log.vkey

    \b
    The whole log, from a copy of its database:
      accord audit fsck log.db --key log.vkey

    \b
    That the log only grows, from a checkpoint kept elsewhere:
      accord audit checkpoint --key log.vkey --out kept.checkpoint
      accord audit consistent kept.checkpoint --key log.vkey
    """  # noqa: D301 -- \b keeps click from wrapping


@audit.command(name="list")
@click.option("--account", default="", help="Only about this account.")
@click.option("--actor", default="", help="Only what this person, member of staff or app did.")
@click.option("--action", default="", help="Only actions that begin so: sharing:decision:")
@click.option("--trace", default="", help="Only this trace, 32 hexadecimal digits.")
@click.option("--producer", default="", help="Only what this service reported.")
@click.option("--from", "start", type=_MOMENT, help="Only from this time on (UTC).")
@click.option("--to", "end", type=_MOMENT, help="Only before this time (UTC).")
@click.option("--newest", is_flag=True, help="Newest first.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
@click.pass_obj
def list_entries(
    session: Session,
    *,
    account: str,
    actor: str,
    action: str,
    trace: str,
    producer: str,
    start: dt.datetime | None,
    end: dt.datetime | None,
    newest: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List entries that match every filter given."""
    request = read_service_pb2.ListEntriesRequest(
        account=account,
        actor=actor,
        action_prefix=action,
        trace_id=trace,
        producer=producer,
        page_size=min(limit, 200),
    )
    if newest:
        request.order = read_service_pb2.ORDER_NEWEST_FIRST
    if start is not None:
        request.start_time.FromDatetime(start.replace(tzinfo=dt.UTC))
    if end is not None:
        request.end_time.FromDatetime(end.replace(tzinfo=dt.UTC))

    async def fetch() -> list[entry_pb2.Entry]:
        found: list[entry_pb2.Entry] = []
        async with Audit.connect(session.profile) as client:
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
                _time(entry),
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
@json_option
@click.pass_obj
def show(session: Session, entry: str, *, as_json: bool) -> None:
    """Show ENTRY, named by its index or its event id, opened as far as its keys still exist."""

    async def fetch() -> entry_pb2.Entry:
        async with Audit.connect(session.profile) as client:
            return await client.entry(_which(entry))

    found = run(fetch)
    if as_json:
        emit_json(found)
        return
    Paper().facts(
        (
            ("index", str(found.index)),
            ("time", _time(found)),
            ("from", f"{found.producer}, its entry {found.sequence}"),
            ("event", found.event_id),
            ("action", f"{found.action} → {found.outcome}"),
            ("about", found.account),
            ("by", found.actor),
            ("on", found.resource),
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
@json_option
@click.pass_obj
def prove(session: Session, entry: str, out: Path | None, *, as_json: bool) -> None:
    """Fetch a proof that ENTRY is in the log, into a file that needs no log to be verified.

    The file holds the entry with its opened values: treat it like the data it shows.
    """

    async def fetch() -> read_service_pb2.ProveInclusionResponse:
        async with Audit.connect(session.profile) as client:
            return await client.prove_inclusion(_which(entry))

    response = run(fetch)
    file = out or Path(f"entry-{response.entry.index}.tlog-proof")
    file.write_bytes(pack_proof(response).serialise())
    if as_json:
        emit_json({"file": str(file), "index": response.entry.index})
    else:
        Paper().say(
            f"Proof of entry {response.entry.index} written to {file}. Verify it with\n"
            f"  accord audit verify {file} --key PINNED.vkey"
        )


@audit.command()
@click.argument("file", type=EXISTING)
@click.option("--key", "key_file", type=EXISTING, required=True, help="Pinned verifier keys.")
@json_option
def verify(file: Path, key_file: Path, *, as_json: bool) -> None:
    """Verify a proof FILE offline, with keys pinned beforehand and nothing else.

    The key file holds one verifier key a line and must come from elsewhere than the log. Exit
    code 0 means verified.
    """
    keys = read_keys(key_file)
    if file.stat().st_size > _MAX_PROOF_BYTES:
        raise Failure(Exit.REFUSED, "NOT VERIFIED (format): the file is too large for a proof")
    try:
        verified = verify_proof(ProofFile.parse(file.read_bytes()), keys)
    except VerificationError as error:
        raise refuse_unverified(error) from error
    if as_json:
        emit_json(_verified_as_json(verified))
    else:
        _print_verified(verified)


@audit.command()
@click.argument("database", type=EXISTING)
@click.option("--key", "key_file", type=EXISTING, required=True, help="Pinned verifier keys.")
@json_option
def fsck(database: Path, key_file: Path, *, as_json: bool) -> None:
    """Check a whole log: a copy of its SQLite DATABASE, with pinned keys and nothing else.

    Recomputes every leaf, tile, root and producer's sequence, and verifies every checkpoint. What
    does not fit is named by row and column. Copy the file together with its -wal, or after the
    service has stopped. Exit code 0 means that the log is whole.
    """
    keys = read_keys(key_file)
    with Progress(console=Paper(stderr=True).console, transient=True) as bar:
        task = bar.add_task("entries", total=None)
        report = check_log(
            database, keys, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if as_json:
        emit_json(asdict(report))
    else:
        out = Paper()
        for finding in report.findings:
            out.say((finding.where, "bold red"), f": {finding.what}")
        numbers = ", ".join(f"{name} 1 to {last}" for name, last in report.producers.items())
        out.say(
            ("NOT WHOLE", "bold red") if report.findings else ("WHOLE", "bold green"),
            f"  {report.entries} entries, {report.tiles} full tiles, "
            f"{report.checkpoints} checkpoints up to size {report.covered}",
        )
        out.say(f"producers  {numbers or 'none'}")
    click.get_current_context().exit(Exit.REFUSED if report.findings else Exit.OK)


def read_keys(file: Path) -> tuple[VerifierKey, ...]:
    """Reads pinned keys; ends the command when the file holds none."""
    try:
        return parse_keys(file.read_text())
    except (VerificationError, UnicodeDecodeError) as error:
        raise Failure(Exit.BAD_INPUT, f"{file}: {error}") from error


def _verified_as_json(verified: VerifiedEntry) -> dict[str, object]:
    return {
        "verified": True,
        "origin": verified.checkpoint.origin,
        "tree_size": verified.checkpoint.size,
        "index": verified.index,
        "leaf_hash": verified.leaf_hash.hex(),
        "signed_by": [signature.key.name for signature in verified.checkpoint.signatures],
        "producer": verified.entry.producer,
        "sequence": verified.entry.sequence,
        "event_id": verified.entry.event_id.hex(),
        "action": verified.entry.action,
        "outcome": verified.entry.outcome,
        "event_time": verified.event_time.isoformat(),
        "trace_id": verified.entry.trace_id.hex(),
        "shown": dict(verified.shown),
        "sections": [dict(shown) for shown in verified.shown_of_several.values()],
        "commitments": verified.commitments,
    }


def _print_verified(verified: VerifiedEntry) -> None:
    out, entry, checkpoint = Paper(), verified.entry, verified.checkpoint
    signers = ", ".join(signature.key.name for signature in checkpoint.signatures)
    out.say(("VERIFIED", "bold green"))
    out.say(f"1. key        {signers} signed {checkpoint.origin} at {checkpoint.size} entries")
    out.say(f"2. inclusion  this is its entry {verified.index}; the path leads to the signed root")
    out.say(f"3. format     {entry.producer} reported it as its number {entry.sequence}")
    out.say(
        f"4. openings   {len(verified.openings)} of {verified.commitments} values are shown, "
        "each as the entry commits to it"
    )
    out.facts(
        (
            ("what", f"{entry.action} → {entry.outcome}"),
            ("when", verified.event_time.isoformat()),
            ("trace", entry.trace_id.hex()),
            *verified.shown,
        )
    )
    for number, shown in verified.shown_of_several.items():
        out.say(f"section {number}")
        out.facts(shown)
    out.say("Not proved: that what was reported is true, or that nothing else was reported.")


def _which(entry: str) -> int | str:
    if entry.isascii() and entry.isdigit() and len(entry) < _EVENT_ID_LENGTH:
        return int(entry)
    return entry


def _time(entry: entry_pb2.Entry) -> str:
    return entry.event_time.ToDatetime().isoformat(timespec="milliseconds") + "Z"
