"""``accord audit export``: take entries and their proofs away in one file."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

import click
from accord.audit.v1.read_service_pb2 import ProveEntriesRequest, ProveEntriesResponse
from rich.progress import Progress, SpinnerColumn, TextColumn

from accord_client.bundle import BundleWriter, Head
from accord_client.cli.filters import filter_in_words, filter_options, purpose_option, read_filter
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
from accord_client.cli.trusting import EXISTING, PATH, read_policy
from accord_client.clients import Audit
from accord_client.failure import VerificationError

_PAGE = 200


@click.command()
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every entry of the log, without a filter.")
@purpose_option
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="NAME",
    help="Leave only values of this name in the file, such as purpose; may be given again, or as "
    "a list with commas. The others stay proved to be there and unreadable.",
)
@click.option(
    "--policy",
    "policy_file",
    type=EXISTING,
    help="Trust policy to write into the file, for whoever reads it to compare with their own.",
)
@click.option("--out", type=PATH, required=True, help="The file to write; nobody else may read it.")
@json_option
@click.pass_obj
def export(
    session: Session,
    /,
    *,
    purpose: str,
    everything: bool,
    names: tuple[str, ...],
    policy_file: Path | None,
    out: Path,
    as_json: bool,
    **filters: str | dt.datetime | None,
) -> None:
    """Write every entry that every filter matches, with its values and its proof, into one file.

    The file is verified with `accord audit verify FILE --key PINNED.vkey`, anywhere, without the
    log. It holds personal data: give on no more of it than --only leaves, and treat it like what it
    shows. The export itself goes on record in the log, with the purpose.

    \b
    Examples:
      accord audit export --account accounts/nl-… --purpose "request 4711" --out person.bundle
      accord audit export --trace 4bf92f35… --purpose "incident 12" --out incident.bundle
      accord audit export --from 2026-01-01 --to 2026-04-01 --action sharing:decision: \\
          --only outcome,purpose --purpose "first quarter" --out quarter.bundle
    """  # noqa: D301 -- \b keeps click from wrapping
    if everything == any(filters.values()):
        raise click.UsageError("name a filter, such as --account, or --all for the whole log")
    policy = None if policy_file is None else _policy_text(policy_file)
    only = tuple(name for given in names for name in given.split(",")) if names else None
    request = ProveEntriesRequest(filter=read_filter(filters), page_size=_PAGE, export=True)

    async def fetch(stream: IO[bytes]) -> int:
        async with Audit.connect(session.profile, purpose) as client:
            pages = client.proven_entries(request)
            first = await anext(pages)
            note = first.checkpoint.note
            writer = BundleWriter(stream, Head(note, filter_in_words(filters), only, policy))
            with _counter() as count:
                async for page in _chained(first, pages):
                    if page.checkpoint.note != note:
                        raise VerificationError("format", "the log changed its checkpoint midway")
                    for proven in page.entries:
                        writer.add(proven.entry, proven.openings, proven.proof)
                    count(len(page.entries))
            return writer.end()

    try:
        with _whole(out) as stream:
            written = run(lambda: fetch(stream))
    except VerificationError as error:
        raise refuse_unverified(error) from error
    except OSError as error:
        raise Failure(Exit.BAD_INPUT, f"cannot write {out}: {error.strerror}") from error
    if as_json:
        emit_json({"file": str(out), "entries": written})
        return
    Paper().say(
        f"{written} entries written to {out}. Whoever gets the file verifies it with\n"
        f"  accord audit verify {out} --key PINNED.vkey"
    )


def _policy_text(file: Path) -> str:
    read_policy(file)
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Failure(
            Exit.BAD_INPUT, f"{file}: a bundle holds text, and this is no UTF-8"
        ) from error


async def _chained(
    first: ProveEntriesResponse, rest: AsyncIterator[ProveEntriesResponse]
) -> AsyncIterator[ProveEntriesResponse]:
    yield first
    async for page in rest:
        yield page


@contextlib.contextmanager
def _counter() -> Iterator[Callable[[int], None]]:
    console = Paper(stderr=True).console
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} entries"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda more: bar.advance(task, more)


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name once it is whole and on the disk, readable by its owner.

    An export that breaks off leaves nothing that could be taken for one.
    """
    made = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        made.replace(file)
    finally:
        made.unlink(missing_ok=True)
