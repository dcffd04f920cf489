"""``accord audit fsck``: check a whole log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import Progress

from accord_client.cli.paper import Paper
from accord_client.cli.session import Exit, emit_json, json_option
from accord_client.cli.trusting import EXISTING, read_trust, trust_options
from accord_client.fsck import check_log


@click.command()
@click.argument("database", type=EXISTING)
@trust_options
@json_option
def fsck(
    database: Path, key_files: tuple[Path, ...], policy_file: Path | None, *, as_json: bool
) -> None:
    """Check a whole log: a copy of its SQLite DATABASE, with pinned keys and nothing else.

    Recomputes every leaf, tile, root and producer's sequence, and verifies every checkpoint. What
    does not fit is named by row and column. Copy the file together with its -wal, or after the
    service has stopped. Exit code 0 means that the log is whole.
    """
    keys = read_trust(key_files, policy_file).log_keys
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
