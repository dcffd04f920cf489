"""``accord audit checkpoint`` and ``consistent``: keep what the log signed, and hold it to that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from accord_client.checkpoint import Checkpoint, verify_growth
from accord_client.cli.audit import EXISTING, PATH, read_keys
from accord_client.cli.paper import Paper, printable
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
from accord_client.note import VerifierKey

_MAX_CHECKPOINT_BYTES = 65_536


@click.command()
@click.option("--key", "key_file", type=EXISTING, required=True, help="Pinned verifier keys.")
@click.option("--out", type=PATH, required=True, help="Where to keep the checkpoint.")
@json_option
@click.pass_obj
def checkpoint(session: Session, key_file: Path, out: Path, *, as_json: bool) -> None:
    """Fetch the newest checkpoint, verify who signed it, and keep it in a file.

    Kept apart from the log, it later shows whether the log's history was changed.
    """
    keys = read_keys(key_file)

    async def fetch() -> bytes:
        async with Audit.connect(session.profile) as client:
            return (await client.checkpoint()).note.encode()

    note = run(fetch)
    newest = _open(note, keys)
    _keep(out, note)
    if as_json:
        emit_json({"file": str(out), "origin": newest.origin, "size": newest.size})
    else:
        Paper().say(
            f"Checkpoint of {newest.origin} at {newest.size} entries kept in {out}. Later, run\n"
            f"  accord audit consistent {out} --key {key_file}"
        )


@click.command()
@click.argument("kept", metavar="OLD_CHECKPOINT_FILE", type=EXISTING)
@click.option("--key", "key_file", type=EXISTING, required=True, help="Pinned verifier keys.")
@click.option("--out", type=PATH, help="Where to keep the newer checkpoint once it is proved.")
@json_option
@click.pass_obj
def consistent(
    session: Session, kept: Path, key_file: Path, out: Path | None, *, as_json: bool
) -> None:
    """Prove that the log still begins with what OLD_CHECKPOINT_FILE says of it.

    Fetches the newest checkpoint and a consistency proof, and verifies both signatures and the
    proof with pinned keys alone. Exit code 1: the log has signed two histories, or the file is no
    checkpoint of it.
    """
    keys = read_keys(key_file)
    if kept.stat().st_size > _MAX_CHECKPOINT_BYTES:
        raise Failure(Exit.REFUSED, "NOT VERIFIED (format): the file is too large for a checkpoint")
    old = _open(kept.read_bytes(), keys)
    if old.size == 0:
        raise Failure(Exit.BAD_INPUT, f"{kept} is of an empty log: every log begins so")

    async def fetch() -> tuple[bytes, Checkpoint, Sequence[bytes]]:
        async with Audit.connect(session.profile) as client:
            note = (await client.checkpoint()).note.encode()
            new = _open(note, keys)
            # A log that has shrunk has no proof to give, and verify_growth says so.
            grown = old.size <= new.size
            proof = await client.prove_consistency(old.size, new.size) if grown else []
            return note, new, proof

    note, new, proof = run(fetch)
    try:
        verify_growth(old, new, proof)
    except VerificationError as error:
        raise Failure(
            Exit.REFUSED,
            f"NOT VERIFIED ({error.obligation}): {error}\n"
            f"Both are signed: keep {kept}, and this one.\n\n{printable(note.decode())}",
            {"obligation": error.obligation, "checkpoint": note.decode()},
        ) from error
    if out is not None:
        _keep(out, note)
    signers = [signature.key.name for signature in new.signatures]
    if as_json:
        emit_json(
            {
                "consistent": True,
                "origin": new.origin,
                "from_size": old.size,
                "to_size": new.size,
                "signed_by": signers,
            }
        )
        return
    paper = Paper()
    paper.say(("CONSISTENT", "bold green"))
    paper.say(
        f"1. keys    {', '.join(signers)} signed {new.origin} at {new.size} entries; "
        f"the kept checkpoint, at {old.size}, is signed too"
    )
    paper.say(f"2. growth  its first {old.size} entries are the same as then, in the same order")
    paper.say("Not proved: that what was reported is true, or that others were shown this history.")


def _open(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    try:
        return Checkpoint.open(note, keys)
    except VerificationError as error:
        raise refuse_unverified(error) from error


def _keep(file: Path, note: bytes) -> None:
    """Writes the file whole or not at all: it may replace the only checkpoint that was kept."""
    made = file.with_name(f".{file.name}.new")
    with made.open("wb") as whole:
        whole.write(note)
        whole.flush()
        os.fsync(whole.fileno())
    made.replace(file)
