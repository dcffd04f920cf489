"""``accord audit fsck``: check a whole log."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import Progress

from accord_client.cli.paper import Paper, printable
from accord_client.cli.session import Exit, Failure, Session, emit_json, json_option
from accord_client.cli.trusting import EXISTING, processes_option, read_trust, trust_options
from accord_client.fsck.database import check_database
from accord_client.fsck.https import Website
from accord_client.fsck.report import ForbiddenError, NoLogError, Report, UnreachableError
from accord_client.fsck.report import Progress as Told
from accord_client.fsck.rows import POSTGRESQL, Database
from accord_client.fsck.tiles import Directory, check_tiles
from accord_client.trust import Trust

_MAX_TOKEN = 8_192


@click.command()
@click.argument("log")
@trust_options
@click.option(
    "--token-file",
    type=EXISTING,
    help="File with a bearer token, for a log at an https address.",
)
@processes_option
@json_option
@click.pass_obj
def fsck(
    session: Session,
    /,
    log: str,
    *,
    key_files: tuple[Path, ...],
    policy_file: Path | None,
    token_file: Path | None,
    processes: int | None,
    as_json: bool,
) -> None:
    """Check a whole LOG with pinned keys and nothing else: every entry, tile and checkpoint.

    \b
    LOG is one of
      a directory      the published files (c2sp.org/tlog-tiles), or a copy of them
      https://…        the same over HTTPS, with the profile's certificate, or with a bearer
                       token: then of the profile the region and its trust bundle suffice
      a file           a copy of the log's SQLite database: together with its -wal, or after the
                       service has stopped
      postgresql://…   the log's PostgreSQL database; its password from PGPASSFILE or a service file

    Recomputes every leaf, tile and root, follows every producer's numbers, and verifies every
    checkpoint that is there; in a database also every column and the whole index. What does not fit
    is named by file or row. Nothing is changed.

    \b
    Exit codes: 0 whole · 1 not whole, the findings are listed · 2 there is no log to check ·
    3 it cannot be reached · 4 it may not be read
    """  # noqa: D301 -- \b keeps click from wrapping
    trust = read_trust(key_files, policy_file)
    with Progress(console=Paper(stderr=True).console, transient=True) as bar:
        task = bar.add_task("entries", total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        try:
            if log.startswith("https:"):
                with contextlib.closing(_website(session, log, token_file)) as source:
                    report = check_tiles(source, trust, told, processes or 0)
            else:
                report = _check_here(log, trust, told, processes or 0)
        except NoLogError as error:
            raise _absent(log, error) from error
    if as_json:
        emit_json({"whole": report.whole, **asdict(report)})
    else:
        _print(report)
    click.get_current_context().exit(Exit.OK if report.whole else Exit.REFUSED)


def _check_here(log: str, trust: Trust, told: Told, processes: int) -> Report:
    if log.startswith(POSTGRESQL):
        return check_database(Database(log), trust, told, processes)
    path = Path(log)
    if path.is_dir():
        return check_tiles(Directory(path), trust, told, processes)
    if path.is_file():
        return check_database(Database(log), trust, told, processes)
    raise NoLogError("there is neither a file nor a directory")


def _absent(log: str, error: NoLogError) -> Failure:
    """What to do where there is nothing to check."""
    why = printable(str(error))
    if isinstance(error, ForbiddenError):
        message = f"{log} may not be read: {why}. Give --token-file, or a profile that may read it"
        return Failure(Exit.NOT_ALLOWED, message)
    if isinstance(error, UnreachableError):
        message = f"{log} cannot be reached: {why}. Check the address, and whether it is served"
        return Failure(Exit.UNAVAILABLE, message)
    return Failure(
        Exit.BAD_INPUT,
        f"there is no log at {log}: {why}. Name a directory of tiles, a copy of an SQLite "
        "database, an https:// or a postgresql:// address",
    )


def _website(session: Session, url: str, token_file: Path | None) -> Website:
    token = None
    if token_file is not None:
        with token_file.open("rb") as stream:
            token = stream.read(_MAX_TOKEN).decode("ascii", errors="replace").strip()
        if not token.isascii() or not token.isprintable():
            raise Failure(Exit.BAD_INPUT, f"{token_file} holds no bearer token")
    shown = ("certificate_file", "key_file") if token is None else ()
    known = session.settings("region", "trust_bundle_file", *shown)
    certificate = None if token is not None else (known["certificate_file"], known["key_file"])
    try:
        return Website(url, known["region"], known["trust_bundle_file"], certificate, token)
    except ValueError as error:
        raise Failure(Exit.BAD_INPUT, str(error)) from error


def _print(report: Report) -> None:
    out = Paper()
    for finding in report.findings:
        out.say((finding.where, "bold red"), f": {finding.what}")
    if report.unnamed:
        out.say(f"and {report.unnamed} findings more")
    postings = f", {report.postings} postings" if report.postings else ""
    out.say(
        ("WHOLE", "bold green") if report.whole else ("NOT WHOLE", "bold red"),
        f"  {report.entries} entries, {report.tiles} tiles{postings}, "
        f"{report.checkpoints} checkpoints up to size {report.covered}",
    )
    numbers = ", ".join(f"{name} 1 to {last}" for name, last in report.producers.items())
    out.say(f"producers  {numbers or 'none'}")
    for note in report.notes:
        out.say(f"note  {note}")
