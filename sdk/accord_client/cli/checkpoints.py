"""``accord audit checkpoint`` and ``consistent``: keep what the log signed, and hold it to that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from accord_client.checkpoint import verify_growth
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
from accord_client.cli.trusting import EXISTING, PATH, read_trust, trust_options
from accord_client.cli.verify import attested_as_json
from accord_client.clients import Audit
from accord_client.failure import VerificationError
from accord_client.trust import Attested, Trust

_MAX_CHECKPOINT_BYTES = 65_536


@click.command()
@click.option("--out", type=PATH, required=True, help="Where to keep the checkpoint.")
@trust_options
@json_option
@click.pass_obj
def checkpoint(
    session: Session,
    out: Path,
    key_files: tuple[Path, ...],
    policy_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Fetch the newest checkpoint, verify who signed and cosigned it, and keep it in a file.

    Kept apart from the log, it later shows whether the log's history was changed. With a policy,
    one that too few witnesses cosigned is not kept.
    """
    trust = read_trust(key_files, policy_file)

    async def fetch() -> bytes:
        async with Audit.connect(session.profile) as client:
            return (await client.checkpoint()).note.encode()

    note = run(fetch)
    attested = _open(note, trust)
    newest = attested.checkpoint
    _keep(out, note)
    if as_json:
        emit_json({"file": str(out), "size": newest.size, **attested_as_json(attested)})
        return
    given = [*(f"--key {file}" for file in key_files)]
    given += [f"--policy {policy_file}"] if policy_file else []
    Paper().say(
        f"Checkpoint of {newest.origin} at {newest.size} entries kept in {out}.\n"
        f"  signed by {attested.signers}\n"
        f"  cosigned {attested.cosigned}\n"
        f"Later, run\n  accord audit consistent {out} {' '.join(given)}"
    )


@click.command()
@click.argument("kept", metavar="OLD_CHECKPOINT_FILE", type=EXISTING)
@click.option("--out", type=PATH, help="Where to keep the newer checkpoint once it is proved.")
@trust_options
@json_option
@click.pass_obj
def consistent(
    session: Session,
    kept: Path,
    out: Path | None,
    key_files: tuple[Path, ...],
    policy_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Prove that the log still begins with what OLD_CHECKPOINT_FILE says of it.

    Fetches the newest checkpoint and a consistency proof, and verifies both signatures and the
    proof with pinned keys alone. Exit code 1: the log has signed two histories, or the file is no
    checkpoint of it; with a policy, also that too few witnesses cosigned the newest one.
    """
    trust = read_trust(key_files, policy_file)
    if kept.stat().st_size > _MAX_CHECKPOINT_BYTES:
        raise Failure(Exit.REFUSED, "NOT VERIFIED (format): the file is too large for a checkpoint")
    # Whether the kept one was cosigned was asked when it was kept, by the policy of that day.
    old = _open(kept.read_bytes(), Trust(tuple(trust.log_keys))).checkpoint
    if old.size == 0:
        raise Failure(Exit.BAD_INPUT, f"{kept} is of an empty log: every log begins so")

    async def fetch() -> tuple[bytes, Attested, Sequence[bytes]]:
        async with Audit.connect(session.profile) as client:
            note = (await client.checkpoint()).note.encode()
            attested = _open(note, trust)
            size = attested.checkpoint.size
            # A log that has shrunk has no proof to give, and verify_growth says so.
            grown = old.size <= size
            proof = await client.prove_consistency(old.size, size) if grown else []
            return note, attested, proof

    note, attested, proof = run(fetch)
    new = attested.checkpoint
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
    if as_json:
        sizes = {"from_size": old.size, "to_size": new.size}
        emit_json({"consistent": True, **sizes, **attested_as_json(attested)})
        return
    paper = Paper()
    paper.say(("CONSISTENT", "bold green"))
    paper.say(
        f"1. keys       {attested.signers} signed {new.origin} at {new.size} entries; "
        f"the kept checkpoint, at {old.size}, is signed too"
    )
    paper.say(f"2. witnesses  cosigned {attested.cosigned}")
    paper.say(f"3. growth     its first {old.size} entries are the same as then, in that order")
    others = (
        ""
        if attested.standing and attested.standing.cosigners
        else (", or that others were shown this history: give a --policy with witnesses of the log")
    )
    paper.say(f"Not proved: that what was reported is true{others}.")


def _open(note: bytes, trust: Trust) -> Attested:
    try:
        attested = trust.open(note)
        attested.require_quorum()
    except VerificationError as error:
        raise refuse_unverified(error) from error
    return attested


def _keep(file: Path, note: bytes) -> None:
    """Writes the file whole or not at all: it may replace the only checkpoint that was kept."""
    made = file.with_name(f".{file.name}.new")
    with made.open("wb") as whole:
        whole.write(note)
        whole.flush()
        os.fsync(whole.fileno())
    made.replace(file)
